"""A classifier through the same tools: train, resume, test, predict, and start a detector."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

from tests.engine.conftest import TINY
from vitdet import Predictor, backbones, engine
from vitdet.checkpoints.files import read_checkpoint
from vitdet.datasets.shape_images import ensure_shape_images
from vitdet.datasets.shapes import CLASSES
from vitdet.engine import load_config, train
from vitdet.engine.config_file import shipped_configs
from vitdet.errors import UserError

TINY_CLASSIFIER = TINY.with_name("tiny_classifier.py")
BACKBONES = {
    "deit": "VisionTransformer",
    "focal": "FocalTransformer",
    "pvt": "PyramidVisionTransformer",
    "pvtv2": "PyramidVisionTransformerV2",
    "sequencer": "Sequencer2D",
    "swin": "SwinTransformer",
    "swinv2": "SwinTransformerV2",
    "tnt": "TNT",
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images") / "shape_images"
    return ensure_shape_images(root, num_train=12, num_val=6, image_size=40)


@pytest.fixture(scope="module")
def run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of two epochs."""
    config = load_config(TINY_CLASSIFIER, data=images)
    return train(config, tmp_path_factory.mktemp("run"), device="cpu")


def test_classes_and_their_number_follow_from_the_folders(images: Path) -> None:
    config = load_config(TINY_CLASSIFIER, data=images)
    assert config.model.num_classes == len(CLASSES)
    for part in ("train", "val", "test"):
        assert config[f"{part}_dataloader"].dataset.metainfo.classes == CLASSES
    with pytest.raises(UserError, match="data folder not found"):
        load_config(TINY_CLASSIFIER, data=images / "nowhere")


def test_a_run_leaves_what_a_detectors_does(run: Path) -> None:
    assert {"last.pth", "best.pth", "tiny_classifier.py", "predictions.png"} <= {
        path.name for path in run.iterdir()
    }
    meta = read_checkpoint(run / "best.pth")["meta"]
    assert meta["best_metric"] == "accuracy/top1"
    assert tuple(meta["dataset_meta"]["classes"]) == CLASSES
    assert "lowest top1 of a class" in next(run.glob("*/*.log")).read_text()


def test_resume_trains_the_remaining_epochs_only(run: Path, images: Path) -> None:
    options = {"train_cfg.max_epochs": 3}
    config = load_config(TINY_CLASSIFIER, data=images, options=options)
    train(config, run, resume=True, device="cpu")
    meta = read_checkpoint(run / "last.pth")["meta"]
    assert (meta["epoch"], meta["iter"]) == (3, 9)


def test_saved_config_loads_to_the_same(images: Path, tmp_path: Path) -> None:
    config = load_config(TINY_CLASSIFIER, data=images)
    config.dump(tmp_path / "saved.py")
    assert load_config(tmp_path / "saved.py").to_dict() == config.to_dict()


def test_best_checkpoint_tested_and_predicting(run: Path, images: Path, tmp_path: Path) -> None:
    metrics = engine.test(
        load_config(TINY_CLASSIFIER, data=images),
        run / "best.pth",
        tmp_path,
        out=tmp_path / "results.json",
        show_dir=tmp_path / "drawn",
        device="cpu",
    )
    assert metrics["accuracy/top1"] == read_checkpoint(run / "best.pth")["meta"]["best_score"]
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 6
    first = json.loads((tmp_path / "results.classes.json").read_text())[0]
    (prediction,) = Predictor(run / "best.pth", "cpu")(first["image"])
    assert prediction.scores[0] == pytest.approx(first["scores"][0], abs=1e-5)
    assert CLASSES[prediction.labels[0]] == first["classes"][0]
    assert prediction.boxes.tolist() == [[0, 0, 40, 40]] * 5
    assert prediction.draw(scale=4).size == (160, 160)


def test_a_detector_starts_from_a_classifier(run: Path, data: Path) -> None:
    options = {"model.backbone.init_cfg": dict(type="Pretrained", checkpoint=str(run / "best.pth"))}
    config = load_config(TINY, data=data, options=options)
    detector = MODELS.build(config.model)
    detector.init_weights()
    weights = read_checkpoint(run / "best.pth")["state_dict"]
    for key, value in detector.backbone.state_dict().items():
        if not key.startswith("norms."):
            assert torch.equal(value, weights[f"backbone.{key}"])


@pytest.mark.parametrize("family", BACKBONES)
def test_shipped_classifiers_are_complete(family: str, images: Path) -> None:
    if not hasattr(backbones, BACKBONES[family]):
        pytest.skip(f"there is no {BACKBONES[family]}")
    config = load_config(f"{family}_classifier_imagenet", data=images)
    with torch.device("meta"):
        model = MODELS.build(config.model)
    assert model.num_classes == len(CLASSES)
    assert (model.head_dist is not None) == (family == "deit")


def test_there_is_a_config_for_each_family() -> None:
    there = {path.stem for path in shipped_configs().glob("*_classifier_imagenet.py")}
    assert there == {f"{family}_classifier_imagenet" for family in BACKBONES}
