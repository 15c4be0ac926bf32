"""Sequencer2D against the golden numbers of two code bases, its pyramid, and its invariances."""

import copy
import io
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from tests.reference.fixtures import Fixture
from vitdet.backbones import Sequencer2D
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError
from vitdet.layers.map_resampling import resample_map

FIXTURES = ["sequencer2d_custom_official", "sequencer2d_s_official", "sequencer2d_s_timm"]
TINY = dict(
    embed_dims=(8, 16, 16, 16),
    depths=(1, 1, 1, 1),
    hidden_sizes=(3, 4, 4, 4),
    drop_path_rate=0.0,
)


def tiny(**options: object) -> Sequencer2D:
    torch.manual_seed(0)
    return Sequencer2D(**{**TINY, **options})


@pytest.mark.parametrize("name", FIXTURES)
@torch.no_grad()
def test_maps_and_logits_agree_with_reference(name: str) -> None:
    fixture = Fixture(name)
    args, state = fixture.args, fixture.state_dict()
    model = Sequencer2D(
        embed_dims=args.get("embed_dims"),
        depths=args.get("layers"),
        hidden_sizes=args.get("hidden_sizes"),
        out_strides=None,
        final_norm=True,
    ).eval()
    report = load_checkpoint(model, state)
    assert not report.missing and set(report.loaded) == set(model.state_dict())
    assert {key.split(".")[0] for key in report.ignored} == {"head"}
    head = "head.fc" if report.layouts[""] == "timm" else "head"

    for size, images in fixture.inputs().items():
        maps = model(images)
        for index, feature_map in enumerate(maps, start=1):
            names = (f"{size}.stage{index}", f"{size}.intermediate_{index}")
            fixture.assert_close(next(n for n in names if n in fixture.outputs()), feature_map)
        tokens = model.forward_tokens(images)
        after_norm = f"{size}.stage4_after_final_norm"
        if after_norm in fixture.outputs():
            shape = maps[-1].shape[2:]
            fixture.assert_close(after_norm, tokens.transpose(1, 2).unflatten(2, shape))
        logits = F.linear(tokens.mean(1), state[f"{head}.weight"], state[f"{head}.bias"])
        fixture.assert_close(f"{size}.logits", logits)


def test_published_weights_fit_the_pyramid_exactly() -> None:
    """The maps of the pyramid are those of the published model, normalized and resampled."""
    plain, pyramid = tiny(out_strides=None).eval(), tiny().eval()
    report = load_checkpoint(pyramid, plain.state_dict())
    assert {key.split(".")[0] for key in report.missing} == {"norms"}
    images = torch.randn(1, 3, 56, 112)
    with torch.no_grad():
        for ours, theirs, stride in zip(pyramid(images), plain(images), (7, 14), strict=False):
            normalized = F.layer_norm(theirs.permute(0, 2, 3, 1), theirs.shape[1:2], eps=1e-6)
            expected = resample_map(
                normalized.permute(0, 3, 1, 2), stride, stride * 4 // 7, images.shape[2:]
            )
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
def test_any_size_gives_maps_of_rounded_up_size(size: tuple[int, int]) -> None:
    model = tiny()
    assert model.strides == (4, 8, 16, 32)
    maps = model(torch.randn(2, 3, *size))
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        assert feature_map.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert feature_map.isfinite().all()


def test_maps_as_published_are_rounded_down() -> None:
    model = tiny(out_strides=None)
    assert model.strides == (7, 14, 14, 14)
    for size, shapes in (((75, 64), [(10, 9), (5, 4)]), ((1, 1), [(1, 1), (1, 1)])):
        maps = model(torch.randn(1, 3, *size))
        assert [tuple(feature_map.shape[2:]) for feature_map in maps[:2]] == shapes


def test_out_indices_choose_strides() -> None:
    model = tiny(out_indices=(1, 3), out_strides=(7, 14, 28, 56))
    assert model.strides == (14, 56) and model.out_channels == (16, 16)
    maps = model(torch.randn(1, 3, 57, 30))
    assert [tuple(feature_map.shape[2:]) for feature_map in maps] == [(5, 3), (2, 1)]


def test_a_batch_gives_what_its_images_give() -> None:
    model = tiny().eval()
    images = torch.randn(3, 3, 45, 61)
    batched = model(images)
    for index in range(3):
        for feature_map, alone in zip(batched, model(images[index : index + 1]), strict=True):
            torch.testing.assert_close(feature_map[index], alone[0], rtol=0, atol=2e-5)


def test_frozen_stages_stay_frozen() -> None:
    model = tiny(frozen_stages=1, drop_path_rate=0.5).train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert not any(n.startswith(("patch_embed.", "stages.0.", "norms.0.")) for n in trained)
    assert not model.stages[0].training and model.stages[1].training
    sum(m.sum() for m in model(torch.randn(1, 3, 40, 40))).backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == trained


def test_checkpointing_gives_equal_gradients() -> None:
    plain, checkpointed = tiny(), tiny(with_checkpoint=True)
    images = torch.randn(2, 3, 44, 40)
    for model in (plain, checkpointed):
        sum(feature_map.square().mean() for feature_map in model(images)).backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def test_every_parameter_gets_a_finite_gradient_under_autocast() -> None:
    """Also on CPUs whose LSTM knows no bfloat16, where torch's own fails."""
    model = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        maps = model(torch.randn(2, 3, 45, 48))
    sum(feature_map.float().cos().mean() for feature_map in maps).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with torch.no_grad():
        for feature_map in model.bfloat16()(torch.randn(1, 3, 45, 48).bfloat16()):
            assert feature_map.isfinite().all()


def test_copies_and_pickles_compute_the_same() -> None:
    model = tiny().eval()
    images = torch.randn(1, 3, 40, 40)
    expected = model(images)
    buffer = io.BytesIO(pickle.dumps(model))
    for twin in (copy.deepcopy(model), pickle.load(buffer)):
        for ours, theirs in zip(twin(images), expected, strict=True):
            assert torch.equal(ours, theirs)


def test_only_weights_are_saved() -> None:
    model = tiny()
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize(("arch", "count"), [("small", 28), ("medium", 38), ("large", 54)])
def test_parameters_are_the_published_number(arch: str, count: int) -> None:
    """Millions, from the table of the authors' repository, with the classifier of 1000 classes."""
    with torch.device("meta"):
        model = Sequencer2D(arch, out_strides=None, final_norm=True)
    parameters = sum(p.numel() for p in model.parameters()) + 1000 * (model.num_features + 1)
    assert round(parameters / 1e6) == count


@torch.no_grad()
def test_multiply_adds_are_the_published_ones() -> None:
    """8.4 G at 224 x 224 (arXiv:2205.01972, table 1). torch's counter does not see LSTMs, whose
    products are counted here: 8 h (C + h) a token and LSTM for both directions."""
    model = Sequencer2D("small", out_strides=None).eval()
    counter = FlopCounterMode(display=False)
    with counter:
        model.forward_tokens(torch.empty(1, 3, 224, 224))
    lstms = 0
    for index, (stage, hidden) in enumerate(zip(model.stages, (48, 96, 96, 96), strict=True)):
        tokens = (32 if index == 0 else 16) ** 2
        dim = 4 * hidden
        lstms += len(stage.blocks) * 2 * tokens * 8 * hidden * (dim + hidden)
    assert abs(counter.get_total_flops() / 2e9 + lstms / 1e9 - 8.4) < 0.1


def test_init_weights_follows_the_published_code() -> None:
    model = tiny()
    model.init_weights()
    block = model.stages[0].blocks[0]
    assert block.rnn_tokens.rnn_v.weight_ih_l0.abs().max() <= 3**-0.5
    assert block.mlp.fc1.weight.abs().max() <= (6 / (8 + 24)) ** 0.5
    assert not block.mlp.fc1.bias.any() and not model.patch_embed.proj.bias.any()
    assert 0.06 < model.patch_embed.proj.weight.std() < 0.1  # 147**-0.5 = 0.082


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "huge"}, "'huge' is none of small, medium, large"),
        ({"depths": (1, 1)}, "2 depths but 4 embed_dims"),
        ({"out_strides": (4, 8)}, "4 depths but 2 out_strides"),
        ({"out_indices": (4,)}, r"out_indices \(4,\)"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Sequencer2D(**options)


@pytest.mark.parametrize("grad", [False, True])
def test_one_graph_for_torch_compile(grad: bool) -> None:
    model = tiny().eval()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    images = torch.randn(2, 3, 33, 40)
    with torch.set_grad_enabled(grad):
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
def test_gpu_agrees_with_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = tiny()
    images = torch.randn(2, 3, 45, 61)
    expected = model(images)
    for dtype, tolerance in ((torch.float32, 1e-3), (torch.bfloat16, 2e-2)):
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            maps = model.cuda()(images.cuda())
        for a, b in zip(maps, expected, strict=True):
            assert (a.float().cpu() - b).abs().mean() < tolerance * b.abs().mean()
