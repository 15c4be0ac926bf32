"""Set predictors through our runner: train to a falling loss, resume, test, predict."""

import json
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import classes, data  # noqa: F401  fixtures
from vitdet import Predictor, engine
from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine import load_config, train

FOLDER = Path(__file__).parents[1] / "engine"
# An entry that has a row for each class, and whether another follows for "no object".
CLASS_ROWS = {
    "tiny_detr": ("class_embed.weight", True),
    "tiny_yolos": ("class_embed.layers.2.weight", True),
    "tiny_deformable_detr": ("bbox_head.cls_branches.2.weight", False),
    "tiny_dino": ("dn_query_generator.label_embedding.weight", False),
    "tiny_mask2former": ("panoptic_head.cls_embed.weight", True),
}
LEARNING_RATES = {name: [3e-4, 3e-3] for name in CLASS_ROWS} | {"tiny_yolos": [3e-3]}


SLOW = {"tiny_dino", "tiny_mask2former"}  # like tiny_deformable_detr, with mmdet's heads
RECIPES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CLASS_ROWS
]


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Path:
    return FOLDER / f"{request.param}.py"


@pytest.fixture(scope="module")
def run(recipe: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The folder of a finished run."""
    return train(load_config(recipe, data=data), tmp_path_factory.mktemp("run"), device="cpu")


def losses_of(run: Path) -> list[float]:
    lines = next(run.glob("*/vis_data/scalars.json")).read_text().splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_the_loss_falls(run: Path) -> None:
    losses = losses_of(run)
    assert len(losses) == 20
    assert sum(losses[-4:]) < 0.92 * sum(losses[:4])


def test_parts_have_their_learning_rates(recipe: Path, run: Path) -> None:
    groups = read_checkpoint(run / "last.pth")["optimizer"]["param_groups"]
    assert sorted({group["lr"] for group in groups}) == pytest.approx(LEARNING_RATES[recipe.stem])


def test_resume_goes_on(recipe: Path, run: Path, data: Path) -> None:  # noqa: F811
    config = load_config(recipe, data=data, options={"train_cfg.max_epochs": 11})
    last = read_checkpoint(train(config, run, resume=True, device="cpu") / "last.pth")
    assert last["meta"]["epoch"] == 11 and last["meta"]["iter"] == 22


def test_tested_model_and_predictor_agree(
    recipe: Path,
    run: Path,
    data: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    config = load_config(recipe, data=data)
    metrics = engine.test(config, run / "last.pth", tmp_path, out=tmp_path / "r", device="cpu")
    assert "coco/bbox_mAP" in metrics
    entries = [e for e in json.loads((tmp_path / "r.bbox.json").read_text()) if e["image_id"] == 1]
    (prediction,) = Predictor(run / "last.pth", "cpu")(data / "images/val/00001.jpg")
    assert len(entries) == len(prediction.boxes) == 8  # one for each query
    assert (prediction.masks is not None) == (recipe.stem == "tiny_mask2former")
    for ours, theirs in zip(prediction.to_coco(image_id=1), entries, strict=True):
        assert ours["bbox"] == pytest.approx(theirs["bbox"], abs=1e-3)


def test_fine_tuning_keeps_the_rows_of_known_classes(
    recipe: Path,
    run: Path,
    data: Path,  # noqa: F811
    classes: tuple[str, ...],  # noqa: F811
    tmp_path: Path,
) -> None:
    """Started on data with a class renamed and another left out."""
    for part in ("train", "val"):
        content = json.loads((data / f"{part}.json").read_text())
        content["categories"][0]["name"] = "novelty"
        content["categories"].reverse()
        (tmp_path / f"{part}.json").write_text(json.dumps(content))
    (tmp_path / "images").symlink_to(data / "images")
    options = {"load_from": str(run / "last.pth"), "train_cfg.max_epochs": 1}
    options["optim_wrapper.optimizer.lr"] = 0.0
    folder = train(
        load_config(recipe, data=tmp_path, options=options), tmp_path / "w", device="cpu"
    )
    log = next(folder.glob("*/*.log")).read_text()
    names = read_checkpoint(folder / "last.pth")["meta"]["dataset_meta"]["classes"]
    kept = ", ".join(name for name in names if name != "novelty")
    assert f"class rows carried: {kept}, class rows fresh: novelty" in log
    key, has_no_object = CLASS_ROWS[recipe.stem]
    old, new = (read_checkpoint(path / "last.pth")["state_dict"][key] for path in (run, folder))
    assert len(new) == len(names) + has_no_object
    for row, name in enumerate(names):
        is_kept = name != "novelty" and torch.equal(new[row], old[classes.index(name)])
        assert is_kept == (name != "novelty")
    assert torch.equal(new[len(names) :], old[len(classes) :])
