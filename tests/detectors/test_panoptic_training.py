"""A panoptic DETR through our runner: train, resume, evaluate, predict, start from a detector."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, DefaultScope

from tests.panoptic_samples import panoptic_folder
from vitdet import Predictor, engine
from vitdet.checkpoints.files import read_checkpoint
from vitdet.datasets.panoptic_files import find_panoptic, read_segment_ids
from vitdet.engine import load_config, train
from vitdet.errors import UserError
from vitdet.prediction_files import predict_files

RECIPE = Path(__file__).parents[1] / "engine" / "tiny_detr_panoptic.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return panoptic_folder(tmp_path_factory.mktemp("panoptic"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(load_config(RECIPE, data=data), tmp_path_factory.mktemp("run"), device="cpu")


def entries_of(run: Path) -> list[dict]:
    lines = next(run.glob("*/vis_data/scalars.json")).read_text().splitlines()
    return list(map(json.loads, lines))


def test_the_losses_fall_and_quality_is_told(run: Path) -> None:
    entries = entries_of(run)
    for name in ("loss", "loss_mask"):  # dice takes longer than a test may
        losses = [entry[name] for entry in entries if name in entry]
        assert len(losses) == 20
        assert sum(losses[-4:]) < 0.85 * sum(losses[:4])
    (scores,) = (entry for entry in entries if "coco_panoptic/PQ" in entry)
    assert 0 <= scores["coco_panoptic/PQ"] <= 100
    best = read_checkpoint(run / "best.pth")["meta"]
    assert best["best_metric"] == "coco_panoptic/PQ"
    assert best["dataset_meta"]["stuff_classes"] == ("background",)
    log = next(run.glob("*/*.log")).read_text()
    assert "| stuff: mean of 1" in log and (run / "predictions.png").is_file()


def test_resume_goes_on(run: Path, data: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")  # other tests look at the run as it was
    config = load_config(RECIPE, data=data, options={"train_cfg.max_epochs": 11})
    last = read_checkpoint(train(config, copy, resume=True, device="cpu") / "last.pth")
    assert last["meta"]["epoch"] == 11 and last["meta"]["iter"] == 22


def test_what_test_writes_scores_the_same(run: Path, data: Path, tmp_path: Path) -> None:
    """Written files, taken for a model's output that is read back, and drawings."""
    config = load_config(RECIPE, data=data)
    drawn = tmp_path / "drawn"
    metrics = engine.test(
        config, run / "best.pth", tmp_path, out=tmp_path / "r", show_dir=drawn, device="cpu"
    )
    told = next(entry for entry in entries_of(run) if "coco_panoptic/PQ" in entry)
    for name in ("PQ", "SQ_st", "RQ_th"):
        assert metrics[f"coco_panoptic/{name}"] == pytest.approx(told[f"coco_panoptic/{name}"])
    assert sorted(path.name for path in drawn.iterdir()) == ["00001.png", "00002.png"]
    written = json.loads((tmp_path / "r.panoptic.json").read_text())
    ids_of = {one["name"]: one["id"] for one in written["categories"]}
    predictor = Predictor(run / "best.pth", "cpu")
    for annotation in written["annotations"]:
        ids = read_segment_ids(tmp_path / "r.panoptic" / annotation["file_name"])
        stem = Path(annotation["file_name"]).stem
        (prediction,) = predictor(data / f"val2017/{stem}.jpg")
        for info in annotation["segments_info"]:
            (value,) = np.unique(prediction.panoptic[ids == info["id"]])
            assert ids_of[prediction.class_names[value % 1000]] == info["category_id"]
            assert info["area"] == (ids == info["id"]).sum()


def test_predict_writes_a_panoptic_data_set(run: Path, data: Path, tmp_path: Path) -> None:
    """The folder that it writes is one that `--data` takes, but for the images."""
    out = tmp_path / "data" / "panoptic"
    predict_files(run / "best.pth", [data / "val2017"], out=out, device="cpu")
    content = json.loads((out / "panoptic.json").read_text())
    assert [one["isthing"] for one in content["categories"]][-2:] == [1, 0]
    assert any(annotation["segments_info"] for annotation in content["annotations"])
    (out / "panoptic").rename(out / "panoptic_train")
    for image in content["images"]:
        image["file_name"] = Path(image["file_name"]).name
    (out / "panoptic_train.json").write_text(json.dumps(content))
    (tmp_path / "data" / "images").symlink_to(data / "val2017")
    split, _ = find_panoptic(tmp_path / "data")
    config = load_config(RECIPE, data=tmp_path / "data")
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(config.val_dataloader.dataset)
    assert len(dataset) == 2 and split.images.name == "images"
    assert (out / "00001.png").is_file()


def test_the_recipe_on_shapes_learns_masks_faster_than_the_detector(data: Path) -> None:
    config = load_config("detr_panoptic_shapes", data=data)
    with torch.device("meta"), DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    masks = {rates[id(p)] for p in model.mask_head.parameters()}
    others = {rates[id(p)] for n, p in model.named_parameters() if "mask_head" not in n}
    assert (masks, others) == ({2e-3}, {5e-4})
    assert model.num_thing_classes == 6 and model.num_classes == 7


def start(run: Path, data: Path, folder: Path, **options: object) -> Path:
    options = {"load_from": str(run / "last.pth"), "train_cfg.max_epochs": 1, **options}
    return train(load_config(RECIPE, data=data, options=options), folder, device="cpu")


@pytest.fixture(scope="module")
def detector(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a checkpoint without masks that knows all classes."""
    checkpoint = torch.load(run / "last.pth", weights_only=False)
    state = checkpoint["state_dict"]
    checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith("mask_head.")}
    folder = tmp_path_factory.mktemp("detector")
    torch.save(checkpoint, folder / "last.pth")
    return folder


@pytest.mark.slow
def test_masks_start_fresh_on_a_frozen_detector(detector: Path, data: Path, tmp_path: Path) -> None:
    options = {"model.has_frozen_detector": True}
    folder = start(detector, data, tmp_path, **options)
    assert "32 fresh (mask_head.query.weight" in next(folder.glob("*/*.log")).read_text()
    new = read_checkpoint(folder / "last.pth")["state_dict"]
    old = read_checkpoint(detector / "last.pth")["state_dict"]
    assert all(torch.equal(value, new[key]) for key, value in old.items())  # batch norms, too
    assert all(value.isfinite().all() for value in new.values())


def test_a_detector_alone_is_not_tested_for_masks(detector: Path, data: Path) -> None:
    with pytest.raises(UserError, match=r"32 missing \(mask_head"):
        engine.test(load_config(RECIPE, data=data), detector / "last.pth", detector, device="cpu")


def test_a_frozen_detector_has_to_know_something(
    detector: Path, data: Path, tmp_path: Path
) -> None:
    options = {"model.has_frozen_detector": True}
    with pytest.raises(UserError, match="starts from nothing"):
        start(detector, data, tmp_path / "a", load_from=None, **options)
    checkpoint = torch.load(detector / "last.pth", weights_only=False)
    names = checkpoint["meta"]["dataset_meta"]["classes"]
    checkpoint["meta"]["dataset_meta"]["classes"] = [*names[:-1], "floor"]
    torch.save(checkpoint, tmp_path / "last.pth")
    with pytest.raises(UserError, match="does not know background"):
        start(tmp_path, data, tmp_path / "b", **options)
