"""YOLOS gives the reference's outputs for published weights, and detects under all conditions."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.detectors.test_detr import batch_of, loss_of, with_objects
from tests.reference.fixtures import FOLDER, Fixture
from vitdet.backbones import SwinTransformer, VisionTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.class_rows import coco_names
from vitdet.checkpoints.identify import identify, nearest_size
from vitdet.detectors import YOLOS
from vitdet.errors import UserError

OFFICIAL = ["yolos_ti_official", "yolos_tiny_custom_midpe_official"]
TRANSFORMERS = ["yolos_ti_hf", "yolos_tiny_custom_midpe_hf"]
SIZES = {  # the layout's name -> ours
    "yolos_s_official_layout": "small",
    "yolos_s_hf_layout": "small",
    "yolos_s_dwr_official_layout": "small_dwr",
    "yolos_b_official_layout": "base",
}
CUSTOM = dict(embed_dims=48, depth=4, num_heads=3, img_size=(96, 128))
MID_SIZES = {"yolos_tiny_custom_midpe_official": (64, 96), "yolos_tiny_custom_midpe_hf": (96, 128)}


def load_fixture(name: str) -> tuple[Fixture, YOLOS]:
    fixture = Fixture(name)
    is_custom = "custom" in name
    model = YOLOS(
        dict(arch="tiny", **(CUSTOM if is_custom else {})),
        7 if is_custom else 91,
        mid_img_size=MID_SIZES.get(name),
    ).eval()
    state = fixture.state_dict()
    if name == "yolos_tiny_custom_midpe_hf":  # as transformers 5 has it in memory
        positions = state.pop("vit.encoder.mid_position_embeddings")
        state["vit.encoder.interpolation.mid_position_embeddings"] = positions
    report = load_checkpoint(model, {"model": state})
    assert not report.missing and not report.ignored and not report.resized
    assert report.layouts == {"": fixture.meta["layout"]}
    return fixture, model


def all_tokens(model: YOLOS, images: Tensor) -> list[Tensor]:
    """What goes into each block, and last what comes out of the norm."""
    x, grid = model.embed(images)
    positions, tokens = model.mid_positions(grid), []
    for index, block in enumerate(model.backbone.blocks):
        if index and positions is not None:
            x = x + positions[index - 1]
        tokens.append(x)
        x = block(x)
    return [*tokens, model.backbone.norm(x)]


def first_positions(model: YOLOS, grid: tuple[int, int]) -> Tensor:
    """Positions of the class token, of the patches as resized, and of the detection tokens."""
    twin = copy.deepcopy(model.backbone)
    for parameter in (twin.patch_embed.proj.weight, twin.patch_embed.proj.bias, twin.cls_token):
        torch.nn.init.zeros_(parameter)
    x, _ = twin.embed(torch.zeros(1, 3, *(16 * side for side in grid)))
    return torch.cat([x, model.det_pos_embed], 1)


@pytest.mark.parametrize("name", OFFICIAL)
@torch.no_grad()
def test_official_models(name: str) -> None:
    fixture, model = load_fixture(name)
    compared = set()
    for shapes in fixture.meta["input"]["shapes"]:
        images = [
            np.random.default_rng(i).standard_normal(s).astype(np.float32)
            for i, s in enumerate(shapes)
        ]
        batch, samples = batch_of([torch.from_numpy(image) for image in images], scale=(2, 3))
        grid = tuple(side // 16 for side in batch.shape[2:])
        decoded, tokens = model.decode(batch, samples), all_tokens(model, batch)
        mid = model.mid_positions(grid)
        outputs = {
            "pred_logits": decoded.logits[0],
            "pred_boxes": decoded.boxes[0],
            "tokens_before_block_1": tokens[0],
            "tokens_before_block_2": tokens[1],
            "tokens_after_final_norm": tokens[-1],
            "interpolated_pos_embed": first_positions(model, grid),
            "interpolated_mid_pos_embed": None if mid is None else mid[:, None],
        }
        torch.testing.assert_close(decoded.queries[0], tokens[-1][:, -100:], rtol=0, atol=1e-4)
        key = "+".join(f"{shape[1]}x{shape[2]}" for shape in shapes)
        for end, value in outputs.items():
            if f"{key}.{end}" in fixture.outputs():
                fixture.assert_close(f"{key}.{end}", value)
                compared.add(f"{key}.{end}")
        for index, sample in enumerate(model.predict(batch, samples)):
            compared |= check_found(fixture, f"{key}.post{index}", sample.pred_instances)
    assert compared == set(fixture.outputs())


def check_found(fixture: Fixture, key: str, found: Any) -> set[str]:
    order = np.argsort(-fixture.values[f"{key}.scores"], kind="stable")
    for name, value in (("scores", found.scores), ("boxes", found.bboxes)):
        expected = fixture.values[f"{key}.{name}"][order]
        tolerance = fixture.tolerance(f"{key}.{name}")
        np.testing.assert_allclose(value.numpy(), expected, rtol=0, atol=tolerance)
    assert np.array_equal(found.labels.numpy(), fixture.values[f"{key}.labels"][order])
    return {f"{key}.{name}" for name in ("scores", "boxes", "labels")}


@pytest.mark.parametrize("name", TRANSFORMERS)
@torch.no_grad()
def test_transformers_models(name: str) -> None:
    fixture, model = load_fixture(name)
    compared = set()
    for size, images in fixture.inputs().items():
        decoded = model.decode(images)
        outputs = {
            "logits": decoded.logits[0],
            "pred_boxes": decoded.boxes[0],
            "last_hidden_state": all_tokens(model, images)[-1],
        }
        for end, value in outputs.items():
            fixture.assert_close(f"{size}.{end}", value)
            compared.add(f"{size}.{end}")
    assert compared == set(fixture.outputs())


def layout_state(name: str) -> dict[str, Tensor]:
    entries = Fixture(name).meta["state_dict"]
    return {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_every_published_entry_finds_its_place(name: str, size: str) -> None:
    with torch.device("meta"):
        model = YOLOS(size)
    state = layout_state(name)
    report = load_checkpoint(model, state)
    assert set(report.loaded) == set(model.state_dict())
    assert not report.ignored and not report.missing and not report.resized
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == Fixture(name).meta["num_parameters_float"]
    found = identify(state)
    assert found.cls is YOLOS and nearest_size(found, state) == (size, 0)


def test_every_fixture_is_tested() -> None:
    names = {path.stem for path in FOLDER.glob("yolos_*.json")}
    assert names == {*OFFICIAL, *TRANSFORMERS, *SIZES}


TINY = dict(arch="tiny", embed_dims=24, depth=3, num_heads=2, patch_size=8, img_size=32)


def tiny(num_classes: int = 3, *, mid_img_size: int = 40, **backbone: Any) -> YOLOS:
    """Three small blocks, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model = YOLOS({**TINY, **backbone}, num_classes, num_queries=7, mid_img_size=mid_img_size)
    for name, parameter in model.named_parameters():
        if "pos_embed" in name or "token" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.mark.parametrize(
    "backbone", [{}, dict(with_checkpoint=True), dict(with_distillation_token=True)], ids=str
)
@pytest.mark.parametrize("mid_img_size", [0, 40])
def test_every_parameter_learns(backbone: dict[str, Any], mid_img_size: int) -> None:
    model = tiny(mid_img_size=mid_img_size, **backbone).train()
    batch, samples = batch_of([torch.randn(3, 64, 50), torch.randn(3, 40, 70)])
    loss_of(model, batch, with_objects(samples, (2, 1))).backward()
    unused = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not unused
    assert ("mid_pos_embed" in model.state_dict()) == bool(mid_img_size)


def test_checkpointing_gives_equal_gradients() -> None:
    gradients = []
    for with_checkpoint in (False, True):
        model = tiny(with_checkpoint=with_checkpoint)
        model(torch.ones(1, 3, 24, 40))[0].square().sum().backward()
        gradients.append([p.grad for n, p in model.named_parameters() if "bbox" not in n])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_frozen_blocks_stay() -> None:
    model = tiny(frozen_stages=2).train()
    model(torch.ones(1, 3, 24, 40))[0].sum().backward()
    assert all(p.grad is None for p in model.backbone.blocks[1].parameters())
    assert model.backbone.blocks[2].attn.qkv.weight.grad is not None
    assert model.det_token.grad is not None and model.mid_pos_embed.grad is not None


@pytest.mark.parametrize("size", [(1, 1), (7, 90), (33, 131), (40, 24)])
@torch.no_grad()
def test_any_size(size: tuple[int, int]) -> None:
    model = tiny().eval()
    batch, samples = batch_of([torch.randn(3, *size)] * 2)
    first, second = model(batch, samples, mode="predict")
    assert first.pred_instances.bboxes.isfinite().all() and len(first.pred_instances) == 7
    alone = model.decode(batch[:1]).logits[:, 0]
    torch.testing.assert_close(model.decode(batch).logits[:, 1], alone)
    assert torch.equal(first.pred_instances.labels, second.pred_instances.labels)


def test_a_sine_start_tells_places_and_tokens_apart() -> None:
    model = YOLOS(TINY, 3, num_queries=7, mid_img_size=40, has_sine_start=True)
    rows, columns = model.backbone.pos_embed[0].split(12)
    assert torch.equal(rows, rows[:, :, :1].expand_as(rows))
    assert torch.equal(columns, columns[:, :1].expand_as(columns))
    for vectors in (rows[:, :, 0].T, columns[:, 0].T, model.det_token[0]):
        assert torch.pdist(vectors).min() > 0.5


def test_a_batch_without_any_object() -> None:
    model = tiny()
    batch, samples = batch_of([torch.randn(3, 64, 64)] * 2)
    losses = model(batch, with_objects(samples, (0, 0)), mode="loss")
    assert losses["loss_bbox"] == 0 and losses["loss_ce"] > 0
    loss_of(model, batch, samples).backward()


@torch.no_grad()
def test_attention_on_request() -> None:
    model = tiny().eval()
    images = torch.randn(2, 3, 24, 40)
    plain, asked = (model.decode(images, return_attention=b) for b in (False, True))
    assert plain.attention is None
    assert torch.equal(asked.logits, plain.logits)
    assert [tuple(w.shape) for w in asked.attention] == [(2, 2, 7, 1 + 15 + 7)] * 3
    for weights in asked.attention:
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 7))
    # The weights of the last block and its values give what it adds to the tokens.
    x, last = all_tokens(model, images)[2], model.backbone.blocks[2].attn
    normed = model.backbone.blocks[2].norm1(x)
    value = last.qkv(normed).unflatten(-1, (3, 2, 12))[:, :, 2].transpose(1, 2)
    attended = last.proj((asked.attention[2] @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attended, last(normed, num_queries=7), rtol=0, atol=1e-5)


def test_bfloat16() -> None:
    model = tiny()
    batch, samples = batch_of([torch.randn(3, 24, 40)])
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(model, batch, with_objects(samples, (2,)))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_compiles_without_breaks() -> None:
    model = tiny().eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    images = torch.randn(2, 3, 40, 50)
    with torch.no_grad():
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_copies_and_pickles() -> None:
    model = tiny().eval()
    images = torch.randn(1, 3, 24, 40)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(images)[0], model(images)[0])


def test_starts_from_a_classifier(tmp_path: Path) -> None:
    """DeiT's official file, made for other images: positions are resized, and it is told."""
    args = {key: value for key, value in TINY.items() if key != "arch"} | dict(img_size=24)
    source = VisionTransformer(**args, out_indices=(), final_norm=True)
    state = dict(source.state_dict())
    positions = state["pos_embed"].flatten(2).transpose(1, 2)
    state["pos_embed"] = torch.cat([state.pop("token_pos_embed"), positions], 1)
    state |= {"head.weight": torch.ones(10, 24), "head.bias": torch.ones(10)}
    path = tmp_path / "deit.pth"
    torch.save({"model": state}, path)
    model = YOLOS({**TINY, "init_cfg": dict(type="Pretrained", checkpoint=str(path))}, 3)
    fresh = model.det_token.clone()
    model.init_weights()
    assert torch.equal(model.det_token, fresh)
    weight = model.backbone.blocks[1].attn.qkv.weight
    assert torch.equal(weight, source.blocks[1].attn.qkv.weight)
    assert model.backbone.pos_embed.shape == (1, 24, 4, 4)
    report = load_checkpoint(model.backbone, {"model": state})
    assert report.resized == ["pos_embed"]
    assert set(report.ignored) == {"head.weight", "head.bias"}


def test_own_files_load_with_positions_of_another_size() -> None:
    source, model = tiny(), tiny(img_size=48, mid_img_size=24)
    report = load_checkpoint(model, source.state_dict())
    assert report.layouts == {"": "vitdet"}
    assert sorted(report.resized) == ["backbone.pos_embed", "mid_pos_embed"]
    assert torch.equal(model.det_pos_embed, source.det_pos_embed)
    with torch.device("meta"):
        state = YOLOS("tiny", 3).state_dict()
    found = identify(state)
    assert found.cls is YOLOS and nearest_size(found, state)[0] == "tiny"


def test_published_rows_become_the_80_classes() -> None:
    source, classes = tiny(91), [name for name in coco_names(91) if name]
    model = tiny(80)
    report = load_checkpoint(model, source.state_dict(), classes=classes)
    assert report.carried_classes == classes and not report.fresh_classes
    rows = [index for index, name in enumerate(coco_names(91)) if name] + [91]
    ours, theirs = (m.class_embed.layers[2].weight for m in (model, source))
    assert torch.equal(ours, theirs[rows])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: tiny(mid_img_size=0).state_dict(), "2 missing"),
        (lambda: tiny(depth=4).state_dict(), "unexpected"),
        (lambda: tiny().backbone.state_dict(), "is a VisionTransformer checkpoint"),
        (lambda: layout_state("yolos_s_official_layout"), "of another shape|unexpected"),
    ],
)
def test_what_does_not_fit_changes_nothing(source: Any, words: str) -> None:
    model = tiny()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(UserError, match=words):
        load_checkpoint(model, source())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        ("smal", "did you mean small"),
        (dict(arch="huge"), "none of tiny, small, small_dwr, base"),
        (dict(type=SwinTransformer), "is a VisionTransformer, not SwinTransformer"),
        (dict(type="vitdet.SwinTransformer"), "not SwinTransformer"),
        (dict(arch="tiny", window_size=4), "leave window_size"),
        (dict(arch="tiny", num_heads=5), "do not divide"),
        (dict(arch="tiny", img_size=8), "less than a patch"),
    ],
)
def test_bad_arguments(backbone: Any, words: str) -> None:
    with pytest.raises(UserError, match=words), torch.device("meta"):
        YOLOS(backbone, 3)
