"""Swin Transformer V2 against the golden numbers of three code bases, and its own invariances."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer, SwinTransformerV2
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.errors import UserError

HEADS = {
    "swinv2_custom_128x256_official": "head",
    "swinv2_t_w8_256_official": "head",
    "swinv2_t_w8_timm": "head.fc",
    "swinv2_t_w8_hf": "classifier",
}
LAYOUTS = {
    "swinv2_s_w8_official_layout": "small",
    "swinv2_b_w8_official_layout": "base",
    "swinv2_b_w12to16_official_layout": "base",
    "swinv2_b_w12to16_timm_layout": "base",
}
W12TO16 = dict(window_size=16, pretrained_window_sizes=(12, 12, 12, 6))
TINY = dict(embed_dims=16, depths=(2, 2), num_heads=(2, 4), window_size=4, out_indices=(0, 1))


def tiny(**options: object) -> SwinTransformerV2:
    """Two small stages, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model = SwinTransformerV2(**{**TINY, "drop_path_rate": 0.0, **options})
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return model


@pytest.mark.parametrize("name", HEADS)
@torch.no_grad()
def test_outputs_agree_with_reference(name: str) -> None:
    fixture = Fixture(name)
    args, state = fixture.args, fixture.state_dict()
    options = {key: args[key] for key in ("depths", "num_heads", "window_size") if key in args}
    model = SwinTransformerV2(
        embed_dims=args.get("embed_dim"),
        pretrained_window_sizes=args.get("pretrained_window_sizes"),
        final_norm=True,
        **options,
    ).eval()
    report = load_checkpoint(model, state)
    assert {key.split(".")[0] for key in report.missing} == {"norms"} and not report.resized
    model.norms = nn.ModuleDict({key: nn.Identity() for key in model.norms})
    ((size, images),) = fixture.inputs().items()

    features = model.forward_tokens(images).mean(1)
    head = HEADS[name]
    logits = F.linear(features, state[f"{head}.weight"], state[f"{head}.bias"])
    outputs = {"logits": logits, "features": features}
    x = model.patch_embed(images)
    for index, stage in enumerate(model.stages):
        outputs[f"reshaped_hidden_state_{index}"] = x.permute(0, 3, 1, 2)
        before_downsample, x = stage(x)
    outputs["reshaped_hidden_state_4"] = before_downsample.permute(0, 3, 1, 2)
    for index, feature_map in enumerate(model(images), start=1):
        outputs[f"stage{index}"] = outputs[f"intermediate_{index}"] = feature_map
    for output in fixture.outputs():
        fixture.assert_close(output, outputs[output.removeprefix(f"{size}.")])


@pytest.mark.parametrize(("name", "arch"), LAYOUTS.items())
def test_every_published_entry_finds_its_place(name: str, arch: str) -> None:
    """On the meta device: only keys and shapes count."""
    state = {
        key: torch.empty(shape, device="meta")
        for key, shape, *_ in Fixture(name).meta["state_dict"]
    }
    with torch.device("meta"):
        model = SwinTransformerV2(arch, **(W12TO16 if "w12to16" in name else {}))
    report = load_checkpoint(model, state)
    assert {key.split(".")[0] for key in report.missing} == {"norms"}
    assert not report.resized
    assert {key.split(".")[-2] for key in report.ignored if "blocks" not in key} <= {
        *("norm", "head", "fc"),
    }


def test_no_other_family_claims_its_files_nor_it_theirs() -> None:
    states = {
        name: dict.fromkeys((entry[0] for entry in Fixture(name).meta["state_dict"]), torch.ones(1))
        for name in ("swin_t_det_official", "swin_t_timm", "swin_t_hf", "swin_t_mmdet", *HEADS)
    }
    states["own v2"], states["own v1"] = tiny().state_dict(), SwinTransformer(**TINY).state_dict()
    for name, state in states.items():
        is_v2 = name in HEADS or name == "own v2"
        for model, family in FAMILIES.items():
            count = sum(layout.recognises(state) for layout in family.layouts)
            expected = SwinTransformerV2 if is_v2 else SwinTransformer
            assert count == (model is expected), (name, model)


@pytest.mark.parametrize(
    ("arch", "window_size", "params", "macs"),
    [("tiny", 8, 28, 5.9), ("tiny", 16, 28, 6.6), ("small", 8, 50, 11.5), ("base", 8, 88, 20.3)],
)
def test_size_agrees_with_the_published_table(
    arch: str, window_size: int, params: float, macs: float
) -> None:
    """Of the authors' repository, millions and giga multiply-adds at 256 x 256, with the head."""
    with torch.device("meta"):
        model = SwinTransformerV2(arch, window_size=window_size, final_norm=True).eval()
        model.norms = nn.ModuleDict()
        images = torch.empty(1, 3, 256, 256)
        head = nn.Linear(model.num_features, 1000)
    count = sum(p.numel() for part in (model, head) for p in part.parameters())
    assert abs(count / 1e6 - params) < 0.5
    with FlopCounterMode(display=False) as counter:
        model.forward_tokens(images)
    assert abs(counter.get_total_flops() / 2e9 - macs) < max(0.06, 0.01 * macs)


@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7), (16, 16)])
def test_any_size_gives_maps_of_rounded_up_size(size: tuple[int, int]) -> None:
    model = tiny()
    maps = model(torch.randn(2, 3, *size))
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        expected = (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert feature_map.shape == expected
        assert feature_map.isfinite().all()


def test_on_small_maps_windows_shrink_as_if_built_smaller() -> None:
    images = torch.randn(1, 3, 12, 12)
    whole, built = tiny(window_size=8), tiny(window_size=3)
    for ours, theirs in zip(whole(images), built(images), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_positions_are_scaled_by_the_window_of_pre_training() -> None:
    images = torch.randn(1, 3, 32, 32)
    same, other = tiny(pretrained_window_sizes=(4, 4)), tiny(pretrained_window_sizes=(8, 6))
    for ours, theirs, others in zip(tiny()(images), same(images), other(images), strict=True):
        assert torch.equal(ours, theirs) and not torch.allclose(ours, others)


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
    assert trained and all(name.startswith(("stages.1.", "norms.1.")) for name in trained)
    assert not model.stages[0].training and model.stages[1].training
    sum(m.sum() for m in model(torch.randn(1, 3, 32, 32))).backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == trained


def test_checkpointing_gives_equal_gradients() -> None:
    plain, checkpointed = tiny(), tiny(with_checkpoint=True)
    images = torch.randn(2, 3, 24, 40)
    for model in (plain, checkpointed):
        sum(feature_map.square().mean() for feature_map in model(images)).backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def test_every_parameter_gets_a_finite_gradient_under_autocast() -> None:
    model = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        maps = model(torch.randn(2, 3, 33, 40))
    sum(feature_map.float().cos().mean() for feature_map in maps).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_bfloat16_stays_near_float32() -> None:
    model = tiny().eval()
    images = torch.randn(1, 3, 40, 40)
    exact = model(images)
    for grad in (False, True):
        with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
            rounded = model(images)
        for ours, theirs in zip(rounded, exact, strict=True):
            assert (ours - theirs).abs().mean() < 0.03 * theirs.abs().mean()


def test_copies_compute_the_same_and_only_weights_are_saved() -> None:
    model = tiny().eval()
    images = torch.randn(1, 3, 20, 20)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for ours, theirs in zip(twin(images), model(images), strict=True):
            assert torch.equal(ours, theirs)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_blocks_begin_as_the_identity() -> None:
    model = SwinTransformerV2(**TINY)
    model.init_weights()
    x = torch.randn(1, 8, 8, 16)
    assert torch.equal(model.stages[0](x)[0], x)
    assert 0.015 < model.stages[0].blocks[0].mlp.fc1.weight.std() < 0.025
    assert model.norms["0"].weight.min() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "tinny"}, "did you mean tiny"),
        ({"num_heads": (2,)}, "4 depths, 1 num_heads"),
        ({"pretrained_window_sizes": (12, 6)}, "2 pretrained_window_sizes"),
        ({"out_indices": (4,)}, r"out_indices \(4,\)"),
        ({"window_size": 0}, "window_size 0"),
        ({"num_heads": (5, 6, 12, 24)}, "96 channels do not divide among 5 heads"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SwinTransformerV2(**options)


def test_checkpoints_of_another_size_or_family_are_refused() -> None:
    model = tiny()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for other in (tiny(embed_dims=24, num_heads=(2, 3)), tiny(depths=(2, 4))):
        with pytest.raises(UserError, match="does not fit"):
            load_checkpoint(model, other.state_dict())
    with pytest.raises(UserError, match="the model is a"):
        load_checkpoint(model, SwinTransformer(**TINY).state_dict())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_one_graph_for_torch_compile() -> None:
    """Captured whole, also for sizes that windows shrink on."""
    torch._dynamo.reset()
    model = tiny().eval()
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=False)
    for size in ((33, 40), (48, 64), (12, 12)):
        images = torch.randn(2, 3, *size)
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.peer
def test_padding_agrees_with_transformers() -> None:
    """At sizes that windows do not fill and that are not even."""
    transformers = pytest.importorskip("transformers")
    config = transformers.Swinv2Config(
        image_size=(90, 100), embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4
    )
    torch.manual_seed(0)
    peer = transformers.Swinv2Model(config, add_pooling_layer=False).eval()
    model = SwinTransformerV2(**TINY, final_norm=True).eval()
    assert load_checkpoint(model, peer.state_dict()).layouts == {"": "transformers"}
    images: Tensor = torch.randn(1, 3, 90, 100)
    with torch.no_grad():
        ours, theirs = model.forward_tokens(images), peer(images).last_hidden_state
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
