"""Checkpoints of ViT, DeiT, MAE and ViTDet: every entry finds its place, or is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.reference.fixtures import FOLDER, Fixture
from vitdet.backbones import VisionTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.errors import UserError

TINY = dict(embed_dims=16, depth=2, num_heads=2, patch_size=8, img_size=32, out_strides=None)
VITDET = dict(window_size=3, use_rel_pos=True, rel_pos_img_size=32)
LAYOUT_FIXTURES = sorted(
    path.stem for path in FOLDER.glob("*_layout.json") if path.stem.startswith(("vit_", "deit_"))
)


def tiny(**options: object) -> VisionTransformer:
    return VisionTransformer(**{**TINY, **options})


def official(model: VisionTransformer, prefix: str = "") -> dict[str, Tensor]:
    """The model's weights, plus 1, under the authors' keys."""
    state = {key: value + 1 for key, value in model.state_dict().items()}
    positions = [state.pop("pos_embed").flatten(2).transpose(1, 2)]
    if "token_pos_embed" in state:
        positions.insert(0, state.pop("token_pos_embed"))
    state["pos_embed"] = torch.cat(positions, 1)
    return {prefix + key: value for key, value in state.items()}


def is_loaded(model: nn.Module, source: nn.Module) -> bool:
    theirs = source.state_dict()
    return all(torch.equal(value, theirs[key] + 1) for key, value in model.state_dict().items())


def fixture_state(name: str) -> dict[str, Tensor]:
    entries = Fixture(name).meta["state_dict"]
    return {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}


@pytest.mark.parametrize("name", LAYOUT_FIXTURES)
def test_every_published_entry_finds_its_place(name: str) -> None:
    """On the meta device: only keys and shapes count."""
    arch = {"b16": "base", "s16": "small", "l16": "large"}[name.split("_")[1]]
    with torch.device("meta"):
        model = VisionTransformer(
            arch,
            img_size=384 if "384" in name else 224,
            with_distillation_token="distilled" in name,
            out_indices=(),
            final_norm=True,
        )
    report = load_checkpoint(model, fixture_state(name))
    assert not report.missing and not report.unexpected and not report.resized
    assert set(report.loaded) == set(model.state_dict())
    assert {key.split(".")[0] for key in report.ignored} <= {"head", "head_dist"}
    heads = 2 if "distilled" in name else 1
    assert len(report.ignored) == 2 * heads


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_only_files_of_the_family_are_recognised(path: Path) -> None:
    state = fixture_state(path.stem)
    for prefix in ("backbone.", "model.backbone."):
        if any(key.startswith(prefix) for key in state):
            state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    recognised = {
        model.__name__
        for model, family in FAMILIES.items()
        if any(layout.recognises(state) for layout in family.layouts)
    }
    is_ours = path.stem.startswith(("vit_", "deit_"))
    assert ("VisionTransformer" in recognised) == is_ours
    assert not is_ours or len(recognised) == 1


def test_yolos_is_not_recognised() -> None:
    """Its detection tokens stand between names that are otherwise ViT's."""
    state = official(tiny()) | {"det_token": torch.zeros(1, 100, 16)}
    with pytest.raises(UserError, match="of none of the layouts vitdet, official, transformers"):
        load_checkpoint(tiny(), state)


def as_mmpretrain(model: VisionTransformer) -> dict[str, Tensor]:
    renames = (
        ("blocks.", "layers."),
        (".norm", ".ln"),
        (".mlp.fc1.", ".ffn.layers.0.0."),
        (".mlp.fc2.", ".ffn.layers.1."),
        ("patch_embed.proj.", "patch_embed.projection."),
    )
    state = {}
    for key, value in official(model).items():
        for ours, theirs in renames:
            key = key.replace(ours, theirs)
        state["backbone." + ("ln1." + key[5:] if key.startswith("norm.") else key)] = value
    return state | {"head.layers.head.weight": torch.ones(3, 16)}


def as_mae(model: VisionTransformer) -> dict[str, Tensor]:
    added = {
        "mask_token": torch.ones(1, 1, 8),
        "decoder_pos_embed": torch.ones(1, 17, 8),
        "decoder_blocks.0.attn.qkv.weight": torch.ones(24, 8),
    }
    return {"model": official(model) | added}


@pytest.mark.parametrize(
    ("publish", "layout"),
    [
        (official, "official"),
        (as_mae, "official"),
        (lambda model: official(model, "model."), "official"),
        (as_mmpretrain, "mmpretrain"),
        (lambda m: {k: v + 1 for k, v in m.state_dict().items()}, "vitdet"),
    ],
    ids=["official", "mae", "timm_features", "mmpretrain", "own"],
)
@pytest.mark.parametrize("has_distillation", [False, True])
def test_layouts_without_fixture_load_whole(
    publish: Callable[[VisionTransformer], dict], layout: str, has_distillation: bool
) -> None:
    options = dict(with_distillation_token=has_distillation, final_norm=True)
    source, model = tiny(**options), tiny(**options)
    report = load_checkpoint(model, publish(source))
    assert is_loaded(model, source)
    assert report.layouts == {"": layout} and not report.missing and not report.resized


def test_vitdets_own_backbone_loads_whole() -> None:
    """detectron2 keeps the position of a class token that the model does not have."""
    source, model = tiny(**VITDET), tiny(**VITDET)
    state = official(source, "net.")
    state["net.pos_embed"] = torch.cat([torch.ones(1, 1, 16), state["net.pos_embed"]], 1)
    state = {f"backbone.{key}": value for key, value in state.items()}
    state |= {"backbone.simfp_2.0.weight": torch.ones(1), "proposal_generator.x": torch.ones(1)}
    report = load_checkpoint(model, state)
    assert is_loaded(model, source) and not report.missing
    assert "simfp_2.0.weight" in report.ignored


def test_pretrained_weights_leave_what_detection_adds_fresh() -> None:
    source = tiny(final_norm=True)
    model = tiny(**VITDET, out_strides=(4, 8, 16, 32))
    report = load_checkpoint(model, as_mae(source))
    assert all("rel_pos" in key or key.startswith("rescalings.") for key in report.missing)
    assert {"cls_token", "token_pos_embed", "norm.weight", "norm.bias"} <= set(report.ignored)
    assert torch.equal(model.blocks[1].mlp.fc1.weight, source.blocks[1].mlp.fc1.weight + 1)
    state = official(model)
    del state["blocks.1.attn.rel_pos_w"]
    with pytest.raises(UserError, match=r"1 missing \(blocks\.1\.attn\.rel_pos_w\)"):
        load_checkpoint(model, state)


def test_other_sizes_are_resized_and_told() -> None:
    source = tiny()
    nn.init.constant_(source.pos_embed, 2.0)
    model = tiny(img_size=(48, 64))
    report = load_checkpoint(model, official(source))
    assert report.resized == ["pos_embed"]
    torch.testing.assert_close(model.pos_embed, torch.full((1, 16, 6, 8), 3.0))

    source, model = tiny(**VITDET), tiny(**{**VITDET, "window_size": 5, "global_attn_indices": ()})
    report = load_checkpoint(model, official(source))
    assert len(report.resized) == 4 and all("rel_pos" in key for key in report.resized)
    torch.testing.assert_close(model.blocks[0].attn.rel_pos_h, torch.ones(9, 8))


def test_a_larger_patch_answers_as_before() -> None:
    """On an image enlarged as much, as FlexiViT defines it."""
    source, model = tiny(), tiny(patch_size=16, img_size=64)
    report = load_checkpoint(model, official(source))
    assert report.resized == ["patch_embed.proj.weight"]
    images = torch.randn(1, 3, 8, 8)
    enlarged = nn.functional.interpolate(images, size=16, mode="bicubic", antialias=True)
    load_checkpoint(source, official(source))
    expected = source.patch_embed(images)
    torch.testing.assert_close(model.patch_embed(enlarged), expected, rtol=1e-3, atol=1e-3)


def test_positions_of_an_oblong_map_are_laid_out() -> None:
    source, model = tiny(img_size=(24, 40)), tiny(img_size=(24, 40))
    report = load_checkpoint(model, official(source))
    assert is_loaded(model, source) and not report.resized
    with pytest.raises(UserError, match=r"pos_embed: \[1, 15, 16\] in the file, \[1, 16, 4, 4\]"):
        load_checkpoint(tiny(), official(source))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(depth=3), r"12 missing \(blocks\.2\.norm1\.weight"),
        (dict(depth=1), r"12 unexpected \(blocks\.1\.norm1\.weight"),
        (dict(embed_dims=32), r"of another shape"),
        (dict(with_distillation_token=True), r"1 missing \(dist_token\)"),
        (dict(final_norm=True), r"2 missing \(norm\.weight, norm\.bias\)"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(options: dict, message: str) -> None:
    model = tiny(**options)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message) as error:
        load_checkpoint(model, official(tiny()), source="weights.pth")
    assert "\n" not in str(error.value) and str(error.value).startswith("weights.pth")
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_distilled_weights_are_not_taken_for_plain_ones() -> None:
    with pytest.raises(UserError, match=r"token_pos_embed: \[1, 2, 16\] in the file, \[1, 1, 16\]"):
        load_checkpoint(tiny(), official(tiny(with_distillation_token=True)))


def as_jax(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in state.items()}


def test_jax_file_loads_through_init_cfg(tmp_path: Path) -> None:
    state = Fixture("vit_ti16_224_flax_npz").state_dict()
    np.savez(tmp_path / "Ti_16.npz", **as_jax(state))
    checkpoint = str(tmp_path / "Ti_16.npz")
    model = VisionTransformer(
        "tiny", out_indices=(), init_cfg=dict(type="Pretrained", checkpoint=checkpoint)
    )
    model.init_weights()
    assert torch.equal(model.patch_embed.proj.bias, state["embedding/bias"])
    prefixed = {f"opt/target/{key}": value for key, value in state.items()}
    report = load_checkpoint(VisionTransformer("tiny", out_indices=()), prefixed)
    assert report.layouts == {"": "flax"} and not report.missing
