"""The Swin Transformer against the golden numbers of four code bases, and its own invariances."""

import copy
import io
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError

STAGE_FIXTURES = [
    "swin_t_det_official",
    "swin_t_det_official_ape",
    "swin_tiny_custom_w4_det_official",
    "swin_t_mmdet",
    "swin_t_backbone_hf",
]
TINY = dict(embed_dims=16, depths=(2, 2), num_heads=(2, 4), window_size=4, out_indices=(0, 1))


def tiny(**options: object) -> SwinTransformer:
    """Two small stages, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model = SwinTransformer(**{**TINY, "drop_path_rate": 0.0, **options})
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=1.0 if "table" in name else parameter[0].numel() ** -0.5)
    return model


def built_for(fixture: Fixture) -> SwinTransformer:
    args = fixture.args
    options = {key: args[key] for key in ("depths", "num_heads", "window_size") if key in args}
    return SwinTransformer(
        embed_dims=args.get("embed_dim", args.get("embed_dims")),
        mlp_ratio=args.get("mlp_ratio", 4.0),
        patch_norm=args.get("patch_norm", True),
        use_abs_pos_embed=args.get("ape", False),
        out_indices=args["out_indices"] if fixture.meta["layout"] == "official" else (0, 1, 2, 3),
        **options,
    ).eval()


def before_output_norms(model: SwinTransformer, images: Tensor) -> list[Tensor]:
    """Maps (B, C, H, W) without the output norms, which classification models do not have."""
    model.norms = nn.ModuleDict({key: nn.Identity() for key in model.norms})
    return list(model(images))


@pytest.mark.parametrize("name", STAGE_FIXTURES)
@torch.no_grad()
def test_stage_maps_agree_with_reference(name: str) -> None:
    fixture = Fixture(name)
    model = built_for(fixture)
    report = load_checkpoint(model, fixture.state_dict())
    assert not report.missing and not report.resized
    for size, images in fixture.inputs().items():
        for index, feature_map in zip(model.out_indices, model(images), strict=True):
            fixture.assert_close(f"{size}.stage{index + 1}", feature_map)


@torch.no_grad()
def test_maps_before_norms_agree_with_reference() -> None:
    fixture = Fixture("swin_t_det_official")
    model = built_for(fixture)
    load_checkpoint(model, fixture.state_dict())
    maps = before_output_norms(model, fixture.inputs()["70x102"])
    for index, feature_map in enumerate(maps, start=1):
        fixture.assert_close(f"70x102.stage{index}_before_norm", feature_map)


@pytest.mark.parametrize(
    ("name", "norm", "head", "features"),
    [
        ("swin_t_cls_official", "norm", "head", "features"),
        ("swin_t_timm", "norm", "head.fc", None),
        ("swin_t_hf", "swin.layernorm", "classifier", None),
    ],
)
@torch.no_grad()
def test_classification_logits_agree_with_reference(
    name: str, norm: str, head: str, features: str | None
) -> None:
    """At 224 pixels the last stage is one window; its shift, which those models leave out, still
    hides tokens from each other here, as in the detection code. So it is taken out by hand."""
    fixture = Fixture(name)
    state = fixture.state_dict()
    model = SwinTransformer("tiny").eval()
    load_checkpoint(model, state)
    for block in model.stages[3].blocks:
        block.attn.shift = 0
    maps = before_output_norms(model, fixture.inputs()["224x224"])

    pooled = F.layer_norm(
        maps[-1].permute(0, 2, 3, 1), (768,), state[f"{norm}.weight"], state[f"{norm}.bias"]
    ).mean((1, 2))
    logits = F.linear(pooled, state[f"{head}.weight"], state[f"{head}.bias"])
    if features:
        fixture.assert_close(features, pooled)
    logits_name = next(name for name in fixture.outputs() if name.endswith("logits"))
    fixture.assert_close(logits_name, logits)
    for index, feature_map in enumerate(maps, start=1):
        if f"224x224.intermediate_{index}" in fixture.outputs():
            fixture.assert_close(f"224x224.intermediate_{index}", feature_map)
    if name == "swin_t_hf":  # its hidden states are taken after patch merging
        fixture.assert_close("224x224.reshaped_hidden_state_4", maps[3])


@pytest.mark.parametrize("size", [(8, 8), (12, 40)])
@torch.no_grad()
def test_classifiers_shrink_windows_to_small_maps(size: tuple[int, int]) -> None:
    """As if built for windows of that side, with the middle of the bias table, and no shift."""
    side = min(size) // 4
    model = tiny(depths=(2,), num_heads=(2,), out_indices=(), final_norm=True).eval()
    small = tiny(
        depths=(2,), num_heads=(2,), out_indices=(), final_norm=True, window_size=side
    ).eval()
    state = model.state_dict()
    for key in (key for key in state if key.endswith("bias_table")):
        middle = slice(4 - side, 3 + side)
        state[key] = state[key].view(7, 7, 2)[middle, middle].flatten(0, 1)
    small.load_state_dict(state)
    for block in small.stages[0].blocks:
        block.attn.shift = 0
    images = torch.randn(2, 3, *size)
    torch.testing.assert_close(model.forward_tokens(images), small.forward_tokens(images))


def test_tokens_are_one_graph_for_torch_compile() -> None:
    model = tiny(final_norm=True)
    compiled = torch.compile(model.forward_tokens, fullgraph=True, backend="aot_eager")
    for size in ((16, 16), (24, 20), (64, 48)):  # small maps, then mixed, then large ones
        images = torch.randn(1, 3, *size)
        torch.testing.assert_close(
            compiled(images), model.forward_tokens(images), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
def test_any_size_gives_maps_of_rounded_up_size(size: tuple[int, int]) -> None:
    model = tiny()
    maps = model(torch.randn(2, 3, *size))
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        expected = (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert feature_map.shape == expected
        assert feature_map.isfinite().all()


def test_a_batch_gives_what_its_images_give() -> None:
    model = tiny().eval()
    images = torch.randn(3, 3, 45, 61)
    batched = model(images)
    for index in range(3):
        for feature_map, alone in zip(batched, model(images[index : index + 1]), strict=True):
            torch.testing.assert_close(feature_map[index], alone[0], rtol=0, atol=2e-5)


def test_shift_lets_windows_see_each_other() -> None:
    """A change in one corner reaches beyond its own window only through shifted windows."""
    images = torch.randn(1, 3, 32, 32)
    changed = images.clone()
    changed[..., :4, :4] += 1
    for depth, reaches in ((1, False), (2, True)):
        model = tiny(depths=(depth,), num_heads=(2,), out_indices=(0,)).eval()
        difference = (model(images)[0] - model(changed)[0]).abs().amax((0, 1))
        assert difference[:4, :4].min() > 0
        assert (difference[4:, 4:].max() > 0) == reaches


@pytest.mark.parametrize("with_pos_embed", [False, True])
def test_frozen_stages_stay_frozen(with_pos_embed: bool) -> None:
    model = tiny(frozen_stages=1, drop_path_rate=0.5, use_abs_pos_embed=with_pos_embed)
    model.train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith(("stages.1.", "norms.1.")) for name in trained)
    assert not model.stages[0].training and not model.patch_embed.training
    assert model.stages[1].training
    sum(m.sum() for m in model(torch.randn(1, 3, 16, 16))).backward()
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
    sum(feature_map.float().square().mean() for feature_map in maps).backward()
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
    images = torch.randn(1, 3, 20, 20)
    expected = model(images)
    buffer = io.BytesIO(pickle.dumps(model))
    for twin in (copy.deepcopy(model), pickle.load(buffer)):
        for ours, theirs in zip(twin(images), expected, strict=True):
            assert torch.equal(ours, theirs)


def test_only_weights_are_saved() -> None:
    model = tiny()
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_arch_names_published_sizes() -> None:
    counts = {"tiny": "swin_t_det", "small": "swin_s_det", "base": "swin_b_det"}
    for arch, name in counts.items():
        path = f"{name}_official" + ("" if arch == "tiny" else "_layout")
        with torch.device("meta"):
            model = SwinTransformer(arch)
        published = [entry for entry in Fixture(path).meta["state_dict"] if entry[3]]
        shapes = sorted(tuple(entry[1]) for entry in published)
        assert sorted(tuple(p.shape) for p in model.parameters()) == shapes


def test_init_weights_follows_the_paper() -> None:
    model = SwinTransformer(**TINY)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            assert 0.015 < module.weight.std() < 0.025
            assert module.bias is None or not module.bias.any()


def test_init_cfg_goes_through_our_loader(tmp_path) -> None:
    source = tiny()
    path = tmp_path / "weights.pth"
    renamed = {
        f"backbone.{key.replace('stages.', 'layers.').replace('norms.', 'norm')}": value
        for key, value in source.state_dict().items()
    }
    torch.save({"state_dict": renamed}, path)
    model = SwinTransformer(**TINY, init_cfg=dict(type="Pretrained", checkpoint=str(path)))
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[name])


@pytest.mark.parametrize(
    "options", [{"arch": "huge"}, {"depths": (2, 2), "num_heads": (2,)}, {"out_indices": (4,)}]
)
def test_bad_arguments_are_named(options: dict) -> None:
    with pytest.raises(UserError, match=str(next(iter(options.values()))).split(",")[0].strip("(")):
        SwinTransformer(**options)


def test_text_configs_find_it() -> None:
    from mmengine.registry import MODELS, DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(dict(type="vitdet.SwinTransformer", **TINY))
    assert isinstance(model, SwinTransformer)


@pytest.mark.parametrize("grad", [False, True])
def test_one_graph_for_torch_compile(grad: bool) -> None:
    """Captured whole and rewritten without mutations; needs no C++ compiler this way."""
    model = tiny().eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    images = torch.randn(2, 3, 33, 40)
    with torch.set_grad_enabled(grad):
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gpu_agrees_with_cpu(dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = tiny()
    images = torch.randn(2, 3, 45, 61)
    expected = model(images)
    sum(feature_map.square().mean() for feature_map in expected).backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    for run in (model, torch.compile(model, fullgraph=True)):
        model.cuda().zero_grad()
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            maps = run(images.cuda())
        sum(feature_map.float().square().mean() for feature_map in maps).backward()
        tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-3
        for ours, theirs in zip(maps, expected, strict=True):
            assert (ours.cpu() - theirs).abs().mean() < tolerance * theirs.abs().mean()
        for parameter, theirs in zip(model.parameters(), gradients, strict=True):
            difference = (parameter.grad.cpu() - theirs).abs().mean()
            assert difference < 5 * tolerance * theirs.abs().mean() + 1e-6
