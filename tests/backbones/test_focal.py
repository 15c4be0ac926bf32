"""The Focal Transformer against the golden numbers of its authors' code, and its invariances."""

import copy
import io
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.reference.fixtures import Fixture
from vitdet.backbones import FocalTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError

FIXTURES = [
    "focal_t_224_official",
    "focal_custom_128x192_official",
    "focal_custom_256_official",
    "focal_custom_3levels_256_official",
    "focal_custom_w4_100x150_official",
    "focal_custom_w4_96x160_convembed_official",
]
TINY = dict(
    embed_dims=16,
    depths=(2, 1),
    num_heads=(2, 4),
    window_size=4,
    focal_windows=(3, 1),
    expand_sizes=2,
    pretrain_img_size=None,
    out_indices=(0, 1),
)


def tiny(**options: object) -> FocalTransformer:
    """Two small stages, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model = FocalTransformer(**{**TINY, "drop_path_rate": 0.0, **options})
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=1.0 if "table" in name else parameter[0].numel() ** -0.5)
    return model


def built_for(fixture: Fixture) -> FocalTransformer:
    args = fixture.args
    same = ("depths", "num_heads", "window_size", "focal_levels", "focal_windows", "expand_sizes")
    return FocalTransformer(
        embed_dims=args["embed_dim"],
        pretrain_img_size=args["img_size"],
        use_conv_embed=args["use_conv_embed"],
        drops_remainder=True,
        final_norm=True,
        **{name: args[name] for name in same},
    ).eval()


@pytest.mark.parametrize("name", FIXTURES)
@torch.no_grad()
def test_maps_and_logits_agree_with_reference(name: str) -> None:
    fixture = Fixture(name)
    model = built_for(fixture)
    state = fixture.state_dict()
    report = load_checkpoint(model, state)
    assert report.layouts == {"": "official"}
    assert {key.split(".")[0] for key in report.missing} == {"norms"}

    (size, images), *_ = fixture.inputs().items()
    features = model.forward_tokens(images).mean(1)
    fixture.assert_close(f"{size}.features", features)
    logits = F.linear(features, state["head.weight"], state["head.bias"])
    fixture.assert_close(f"{size}.logits", logits)
    model.norms = nn.ModuleDict({key: nn.Identity() for key in model.norms})
    for index, feature_map in enumerate(model(images), start=1):
        fixture.assert_close(f"{size}.stage{index}", feature_map)
    model.stages[0].blocks = model.stages[0].blocks[:1]
    fixture.assert_close(f"{size}.stage1_after_first_block", model(images)[0])


def test_stages_of_one_window_need_no_image_size() -> None:
    """At 224 pixels the last stage is one window: biases for what is around it go unused."""
    images = torch.randn(1, 3, 224, 224)
    small = dict(embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1))
    torch.manual_seed(0)
    model = FocalTransformer(**small).eval()
    larger = FocalTransformer(**small, pretrain_img_size=None).eval()
    report = load_checkpoint(larger, model.state_dict())
    assert [key.split(".")[:2] for key in report.missing] == [["stages", "3"]]
    with torch.no_grad():
        for ours, theirs in zip(larger(images), model(images), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
@pytest.mark.parametrize("use_conv_embed", [False, True])
def test_any_size_gives_maps_of_rounded_up_size(
    size: tuple[int, int], use_conv_embed: bool
) -> None:
    model = tiny(use_conv_embed=use_conv_embed)
    maps = model(torch.randn(2, 3, *size))
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        assert feature_map.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert feature_map.isfinite().all()


def test_dropped_remainders_round_down() -> None:
    model = tiny(drops_remainder=True)
    shapes = [tuple(feature_map.shape[2:]) for feature_map in model(torch.randn(1, 3, 45, 3))]
    assert shapes == [(11, 1), (5, 1)]


def test_a_batch_gives_what_its_images_give() -> None:
    model = tiny().eval()
    images = torch.randn(3, 3, 45, 61)
    batched = model(images)
    for index in range(3):
        for feature_map, alone in zip(batched, model(images[index : index + 1]), strict=True):
            torch.testing.assert_close(feature_map[index], alone[0], rtol=0, atol=2e-5)


def test_windows_see_as_far_as_they_should() -> None:
    """Into the first window look those around it, cyclically, and with pooling those farther."""
    images = torch.randn(1, 3, 160, 160)  # 40 x 40 tokens, 10 x 10 windows
    changed = images.clone()
    changed[..., :16, :16] += 1
    one_block = dict(depths=(1,), num_heads=(2,), focal_windows=5, out_indices=(0,))
    windows_reached = {}
    for levels, expand in ((1, 0), (1, 2), (2, 0)):
        model = tiny(**one_block, focal_levels=levels, expand_sizes=expand).eval()
        with torch.no_grad():
            difference = (model(images)[0] - model(changed)[0]).abs().amax((0, 1))
        reached = F.max_pool2d(difference[None], 4)[0] > 0
        windows_reached[levels, expand] = {tuple(window) for window in reached.nonzero().tolist()}
    near = (0, 1, 9)  # the window above the first is the last
    assert windows_reached[1, 0] == {(0, 0)}
    assert windows_reached[1, 2] == {(row, column) for row in near for column in near}
    assert windows_reached[2, 0] == {(row, column) for row in range(3) for column in range(3)}


@pytest.mark.parametrize(("frozen", "prefixes"), [(0, ("stages.", "norms.")), (1, ("stages.1.",))])
def test_frozen_stages_stay_frozen(frozen: int, prefixes: tuple[str, ...]) -> None:
    model = tiny(frozen_stages=frozen, drop_path_rate=0.5).train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith((*prefixes, "norms.1.")) for name in trained)
    assert not model.patch_embed.training and model.stages[1].training
    assert model.stages[0].training == (frozen == 0)
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
    model = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        maps = model(torch.randn(2, 3, 45, 48))
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
            assert (ours - theirs).abs().mean() < 0.02 * theirs.abs().mean() + 0.01


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


@pytest.mark.parametrize(
    ("arch", "millions", "with_conv", "giga"),
    [("tiny", 28.9, 30.8, 4.9), ("small", 51.1, 53.1, 9.4), ("base", 89.8, 93.3, 16.4)],
)
def test_parameters_and_multiply_adds_are_published_ones(
    arch: str, millions: float, with_conv: float, giga: float
) -> None:
    """Table of the authors' repository, at 224 x 224, with the classifier of 1000 classes."""
    for use_conv_embed, expected in ((False, millions), (True, with_conv)):
        with torch.device("meta"):
            model = FocalTransformer(
                arch, use_conv_embed=use_conv_embed, out_indices=(), final_norm=True
            )
        count = sum(p.numel() for p in model.parameters()) + 1000 * (model.num_features + 1)
        assert abs(count / 1e6 - expected) < 0.01 * expected
    with torch.device("meta"):
        model = FocalTransformer(arch, final_norm=True).eval()
        counter = FlopCounterMode(display=False)
        with counter:
            model.forward_tokens(torch.empty(1, 3, 224, 224))
    # The channels that carry the mask, which the published count does not have: 8 to each head.
    shapes = zip((64, 16, 4), (7, 5, 3), model.stages[:3], strict=True)
    mask = sum(
        len(stage.blocks) * stage.blocks[0].attn.num_heads * windows * 49 * (169 + seen**2) * 2 * 8
        for windows, seen, stage in shapes
    )
    assert round((counter.get_total_flops() / 2 - mask) / 1e9, 1) == giga


def test_init_weights_follows_the_paper() -> None:
    model = FocalTransformer(**{**TINY, "embed_dims": 32})
    model.init_weights()
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and "pool" not in name:
            assert 0.015 < module.weight.std() < 0.025
            assert module.bias is None or not module.bias.any()
    around = model.stages[0].blocks[0].attn.relative_position_bias_table_to_neighbors
    assert 0.015 < around.std() < 0.025


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "huge"}, "'huge' is none of tiny, small, base"),
        ({"arch": "smal"}, "did you mean small"),
        ({"depths": (2, 2), "num_heads": (2,)}, "2 depths but 1 num_heads"),
        ({"focal_windows": (7, 5)}, "4 depths but 2 focal_windows"),
        ({"focal_windows": 4}, "focal_windows 4 and 2 focal_levels"),
        ({"window_size": 3, "focal_levels": 4}, "do not go with a window of 3"),
        ({"expand_sizes": 8}, "expand_sizes 8 of stage 0 is larger than its window of 7"),
        ({"out_indices": (4,)}, r"out_indices \(4,\)"),
        ({"num_heads": (5, 6, 12, 24)}, "96 channels do not divide among 5 heads"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FocalTransformer(**options)


def test_text_configs_find_it() -> None:
    from mmengine.registry import MODELS, DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(dict(type="vitdet.FocalTransformer", **TINY))
    assert isinstance(model, FocalTransformer)


@pytest.mark.parametrize("grad", [False, True])
def test_one_graph_for_torch_compile(grad: bool) -> None:
    """Captured whole and rewritten without mutations; needs no C++ compiler this way."""
    one_block = dict(depths=(1,), num_heads=(2,), focal_windows=3, out_indices=(0,))
    model = tiny(**one_block).eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    images = torch.randn(2, 3, 45, 48)
    with torch.set_grad_enabled(grad):
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def gradients(model: nn.Module, maps: tuple[Tensor, ...]) -> list[Tensor]:
    model.zero_grad()
    sum(feature_map.float().cos().mean() for feature_map in maps).backward()
    return [p.grad.cpu().clone() for p in model.parameters()]


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gpu_agrees_with_cpu(dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = tiny()
    images = torch.randn(2, 3, 45, 61)
    maps = model(images)
    expected = gradients(model, maps)
    for run in (model, torch.compile(model, fullgraph=True)):
        model.cuda()
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            theirs = run(images.cuda())
        tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-3
        for a, b in zip(theirs, maps, strict=True):
            assert (a.cpu() - b).abs().mean() < tolerance * b.abs().mean()
        for a, b in zip(gradients(model, theirs), expected, strict=True):
            assert (a - b).abs().mean() < 5 * tolerance * b.abs().mean() + 1e-6
