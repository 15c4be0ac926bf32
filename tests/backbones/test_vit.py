"""ViT, DeiT and ViTDet's backbone against golden numbers of four code bases, and themselves."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.reference.fixtures import Fixture
from vitdet.backbones import VisionTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError

TINY = dict(embed_dims=16, depth=4, num_heads=2, patch_size=8, img_size=32)
VITDET = dict(window_size=3, use_rel_pos=True, rel_pos_img_size=32)
MODES = {"vit": {}, "deit": dict(with_distillation_token=True), "vitdet": VITDET}
CLASSIFIERS = [
    "deit_ti16_224_official",
    "deit_ti16_224_distilled_official",
    "deit_ti16_distilled_small_image_official",
    "deit_ti16_distilled_timm",
    "deit_ti16_distilled_hf",
    "vit_ti16_small_image_official",
    "vit_ti16_224_timm_dynamic",
    "vit_ti16_224_flax_npz",
    "vit_ti16_hf",
]
HEADS = {  # ours -> as the layouts name it
    "class": ("head", "cls_classifier", "classifier"),
    "distillation": ("head_dist", "distillation_classifier"),
}


def tiny(**options: object) -> VisionTransformer:
    """Four small blocks, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model = VisionTransformer(**{**TINY, "drop_path_rate": 0.0, **options})
    for name, parameter in model.named_parameters():
        is_embedding = any(part in name for part in ("pos", "token"))
        if parameter.ndim > 1:
            std = 0.5 if is_embedding else parameter[0].numel() ** -0.5
            nn.init.normal_(parameter, std=std)
    return model


def head(state: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    for key in HEADS[name]:
        if f"{key}.weight" in state:
            return state[f"{key}.weight"], state[f"{key}.bias"]
    return state[f"{key}/kernel"].t(), state[f"{key}/bias"]


def outputs_of(model: VisionTransformer, fixture: Fixture, images: Tensor) -> dict[str, Tensor]:
    """What the fixtures hold, by the ends of their names."""
    tokens, grid = model.embed(images)
    outputs = {"embeddings": tokens}
    for index, block in enumerate(model.blocks, start=1):
        tokens = block(tokens)
        outputs[f"tokens_after_block_{index}"] = tokens
        outputs[f"patch_map_after_block_{index}"] = model._as_map(tokens, grid)
    outputs["hidden_after_last_block"] = tokens
    tokens = model.forward_tokens(images)
    outputs["tokens_after_final_norm"] = tokens

    state = fixture.state_dict()
    if "head/kernel" in state:
        logits = F.linear(tokens[:, 0], state["head/kernel"].t(), state["head/bias"])
    else:
        logits = F.linear(tokens[:, 0], *head(state, "class"))
    outputs["cls_logits"] = outputs["logits_class_head"] = logits
    if model.num_class_tokens == 2:
        distilled = F.linear(tokens[:, 1], *head(state, "distillation"))
        outputs["distillation_logits"] = outputs["logits_distillation_head"] = distilled
        logits = (logits + distilled) / 2
    return outputs | {"logits": logits, "logits_eval_average": logits}


@pytest.mark.parametrize("name", CLASSIFIERS)
@torch.no_grad()
def test_every_output_agrees_with_reference(name: str) -> None:
    fixture = Fixture(name)
    model = VisionTransformer(
        "tiny",
        img_size=fixture.args.get("img_size", fixture.args.get("image_size", 224)),
        with_distillation_token="distilled" in name,
        antialias="dynamic" in name,
        out_indices=(),
        final_norm=True,
    ).eval()
    report = load_checkpoint(model, fixture.state_dict())
    assert not report.missing and not report.resized
    compared = set()
    for size, images in fixture.inputs().items():
        outputs = outputs_of(model, fixture, images)
        for output in fixture.outputs():
            if output.startswith(size) or "x" not in output:
                fixture.assert_close(output, outputs[output.removeprefix(f"{size}.")])
                compared.add(output)
    assert compared == set(fixture.outputs())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
@torch.no_grad()
def test_any_size_gives_maps_of_rounded_up_size(size: tuple[int, int], mode: str) -> None:
    model = tiny(**MODES[mode])
    maps = model(torch.randn(2, 3, *size))
    assert model.strides == (4, 8, 16, 32)
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        expected = (2, channels, -(-size[0] // stride), -(-size[1] // stride))
        assert feature_map.shape == expected
        assert feature_map.isfinite().all()
    num_patches = -(-size[0] // 8) * -(-size[1] // 8)
    tokens = model.forward_tokens(torch.randn(1, 3, *size))
    assert tokens.shape == (1, model.num_class_tokens + num_patches, model.num_features)
    assert model.num_class_tokens == {"vit": 1, "deit": 2, "vitdet": 0}[mode]


@torch.no_grad()
def test_maps_are_taken_after_the_blocks_named() -> None:
    model = tiny(out_strides=None, out_indices=(3, 1)).eval()
    assert model.out_indices == (1, 3) and model.strides == (8, 8)
    images = torch.randn(1, 3, 24, 40)
    for index, feature_map in zip(model.out_indices, model(images), strict=True):
        shallow = copy.deepcopy(model)
        shallow.blocks = shallow.blocks[: index + 1]
        tokens = shallow.forward_tokens(images)[:, 1:]
        assert torch.equal(feature_map.flatten(2).transpose(1, 2), tokens)
    assert tiny(out_strides=None).out_indices == (3,)
    assert tiny(depth=12).out_indices == (2, 5, 8, 11)
    assert tiny(depth=2).out_indices == (0, 0, 1, 1)
    assert tiny(out_indices=())(images) == ()


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_a_batch_gives_what_its_images_give(mode: str) -> None:
    model = tiny(**MODES[mode]).eval()
    images = torch.randn(3, 3, 45, 61)
    batched = model(images)
    for index in range(3):
        for feature_map, alone in zip(batched, model(images[index : index + 1]), strict=True):
            torch.testing.assert_close(feature_map[index], alone[0], rtol=1e-5, atol=2e-5)


@torch.no_grad()
def test_windows_see_each_other_in_global_blocks_only() -> None:
    images = torch.randn(1, 3, 48, 48)
    changed = images.clone()
    changed[..., :8, :8] += 1
    for global_indices, reaches in (((), False), ((1,), True)):
        options = dict(depth=2, out_strides=None, global_attn_indices=global_indices)
        model = tiny(**VITDET, **options).eval()
        difference = (model(images)[0] - model(changed)[0]).abs().amax((0, 1))
        assert difference[:3, :3].min() > 0
        assert (difference[3:, 3:].max() > 0) == reaches


@torch.no_grad()
def test_one_window_over_the_map_is_global_attention() -> None:
    windowed = tiny(window_size=4, use_rel_pos=True, global_attn_indices=(), rel_pos_img_size=32)
    everywhere = tiny(use_rel_pos=True, rel_pos_img_size=32)
    everywhere.load_state_dict(windowed.state_dict())
    images = torch.randn(1, 3, 32, 32)
    for ours, theirs in zip(windowed.eval()(images), everywhere.eval()(images), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mode", MODES)
def test_frozen_stages_stay_frozen(mode: str) -> None:
    model = tiny(frozen_stages=2, drop_path_rate=0.5, **MODES[mode])
    model.train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    prefixes = ("blocks.2.", "blocks.3.", "rescalings.")
    assert trained and all(name.startswith(prefixes) for name in trained)
    assert not model.blocks[1].training and model.blocks[2].training
    assert not model.patch_embed.training
    sum(m.sum() for m in model(torch.randn(2, 3, 16, 16))).backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == trained


@pytest.mark.parametrize("mode", MODES)
def test_checkpointing_gives_equal_gradients(mode: str) -> None:
    plain = tiny(drop_path_rate=0.3, **MODES[mode])
    checkpointed = tiny(drop_path_rate=0.3, with_checkpoint=True, **MODES[mode])
    images = torch.randn(2, 3, 24, 40)
    for model in (plain, checkpointed):
        torch.manual_seed(1)
        sum(feature_map.square().mean() for feature_map in model(images)).backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_every_parameter_gets_a_finite_gradient_under_autocast(mode: str) -> None:
    model = tiny(**MODES[mode])
    with torch.autocast("cpu", torch.bfloat16):
        maps = model(torch.randn(2, 3, 17, 40))
    sum(feature_map.float().square().mean() for feature_map in maps).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_classifier_without_maps_has_no_idle_parameter() -> None:
    model = tiny(out_indices=(), final_norm=True, with_distillation_token=True)
    model.forward_tokens(torch.randn(1, 3, 40, 32))[:, :2].square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_copies_and_pickles_compute_the_same(mode: str) -> None:
    model = tiny(**MODES[mode]).eval()
    images = torch.randn(1, 3, 20, 20)
    expected = model(images)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for ours, theirs in zip(twin(images), expected, strict=True):
            assert torch.equal(ours, theirs)


def test_only_weights_are_saved() -> None:
    model = tiny(**VITDET, out_strides=None)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


# Millions of parameters with a classifier of 1000 classes: ViT, table 1 (arXiv:2010.11929), and of
# the small ones DeiT, table 1 (arXiv:2012.12877) and PVT, table 2 (arXiv:2102.12122). Multiply-adds
# in 1e9 from PVT's table 2 and Swin's table 1 (arXiv:2103.14030).
@pytest.mark.parametrize(
    ("arch", "options", "millions", "multiply_adds"),
    [
        ("tiny", {}, 5.7, 1.3),
        ("small", {}, 22.1, 4.6),
        ("base", {}, 86, 17.5),
        ("base", dict(img_size=384), 86, 55.4),
        ("large", dict(img_size=384), 307, 190.7),
        ("huge", dict(patch_size=14), 632, None),
        ("base", dict(with_distillation_token=True), 87, None),
    ],
)
def test_arch_names_published_sizes(
    arch: str, options: dict, millions: float, multiply_adds: float | None
) -> None:
    with torch.device("meta"):
        model = VisionTransformer(arch, out_indices=(), final_norm=True, **options)
        heads = [nn.Linear(model.num_features, 1000) for _ in range(model.num_class_tokens)]
        side = options.get("img_size", 224)
        images = torch.empty(1, 3, side, side)
    modules = nn.ModuleList([model, *heads])
    counted = sum(p.numel() for p in modules.parameters()) / 1e6
    assert abs(counted - millions) <= max(0.01 * millions, 0.5 if millions > 50 else 0.05)
    if multiply_adds is not None:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            heads[0](model.forward_tokens(images)[:, 0])
        counted = counter.get_total_flops() / 2e9
        assert abs(counted - multiply_adds) <= max(0.01 * multiply_adds, 0.05)


def test_init_weights_follows_the_paper() -> None:
    model = VisionTransformer(**{**TINY, "embed_dims": 64}, **VITDET)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            assert 0.015 < module.weight.std() < 0.025
            assert module.bias is None or not module.bias.any()
    assert 0.015 < model.pos_embed.std() < 0.025
    assert not model.blocks[0].attn.rel_pos_h.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(arch="hugee"), r"arch 'hugee' is none of .*; did you mean huge\?"),
        (dict(num_heads=3), r"16 channels do not divide among 3 heads"),
        (dict(out_indices=(4,), out_strides=None), r"\(4,\) name blocks that do not exist; .* 4"),
        (dict(out_indices=(1, 3)), r"2 out_indices but 4 out_strides"),
        (dict(patch_size=14), r"stride 14 cannot be brought to stride 4; .* \(7, 14, 28, 56\)"),
        (dict(img_size=4), r"img_size 4 is less than a patch of 8"),
        (dict(window_size=3, with_distillation_token=True), r"there are no class tokens"),
        (dict(**VITDET, global_attn_indices=(7,)), r"global_attn_indices \(7,\)"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        VisionTransformer(**{**TINY, **options})


def test_patches_of_14_and_32_pixels() -> None:
    images = torch.randn(1, 3, 60, 90)
    for patch_size, strides in ((14, (7, 14, 28, 56)), (32, (4, 8, 16, 32))):
        model = tiny(patch_size=patch_size, img_size=64, out_strides=strides).eval()
        shapes = [tuple(feature_map.shape[2:]) for feature_map in model(images)]
        assert shapes == [(-(-60 // stride), -(-90 // stride)) for stride in strides]


def test_text_configs_find_it() -> None:
    from mmengine.registry import MODELS, DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(dict(type="vitdet.VisionTransformer", **TINY))
    assert isinstance(model, VisionTransformer)


@pytest.mark.parametrize(
    ("mode", "grad", "sizes"),
    [
        ("vit", False, [(33, 40), (48, 24), (72, 56)]),
        ("deit", True, [(33, 40)]),
        ("vitdet", True, [(33, 40)]),
    ],
)
def test_one_graph_for_torch_compile(mode: str, grad: bool, sizes: list[tuple[int, int]]) -> None:
    """Captured whole, also for sizes that change; needs no C++ compiler this way."""
    torch._dynamo.reset()
    model = tiny(depth=2, out_strides=None, global_attn_indices=(1,), **MODES[mode]).eval()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    for size in sizes:
        images = torch.randn(2, 3, *size)
        with torch.set_grad_enabled(grad):
            for ours, theirs in zip(compiled(images), model(images), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.peer
@pytest.mark.parametrize("size", [(64, 64), (40, 72)])
@torch.no_grad()
def test_windows_and_relative_positions_agree_with_transformers(size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.VitDetConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        patch_size=8,
        image_size=64,
        pretrain_image_size=32,
        window_size=3,
        window_block_indices=[0, 2],
        use_relative_position_embeddings=True,
        out_features=["stage2", "stage4"],
    )
    torch.manual_seed(0)
    peer = transformers.VitDetBackbone(config).eval()
    for parameter in peer.parameters():
        nn.init.normal_(parameter, std=0.3)
    model = VisionTransformer(
        **TINY,
        window_size=3,
        global_attn_indices=(1, 3),
        use_rel_pos=True,
        rel_pos_img_size=64,
        out_indices=(1, 3),
        out_strides=None,
    ).eval()
    report = load_checkpoint(model, peer.state_dict())
    assert report.layouts == {"": "transformers"} and not report.missing and not report.resized
    images = torch.randn(2, 3, *size)
    for ours, theirs in zip(model(images), peer(images).feature_maps, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mode", MODES)
def test_gpu_agrees_with_cpu(mode: str, dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = tiny(out_strides=None, **MODES[mode])
    images = torch.randn(2, 3, 45, 61)
    expected = model(images)
    sum(feature_map.square().mean() for feature_map in expected).backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.cuda().zero_grad()
    with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
        maps = model(images.cuda())
    sum(feature_map.float().square().mean() for feature_map in maps).backward()
    tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-3
    for ours, theirs in zip(maps, expected, strict=True):
        assert (ours.cpu() - theirs).abs().mean() < tolerance * theirs.abs().mean()
    for parameter, theirs in zip(model.parameters(), gradients, strict=True):
        difference = (parameter.grad.cpu() - theirs).abs().mean()
        assert difference < 5 * tolerance * theirs.abs().mean() + 1e-6
