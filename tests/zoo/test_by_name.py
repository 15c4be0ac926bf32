"""Configs of mmdet and mmseg by name through every tool, and what they save in the inferencers."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.apis import DetInferencer
from mmseg.apis import MMSegInferencer

from vitdet import Predictor
from vitdet.cli import main
from vitdet.datasets.shapes import CLASSES, generate_shapes

SIDE = 96
INLINE = [
    f"{part}_dataloader.{option}"
    for part in ("train", "val", "test")
    for option in ("num_workers=0", "persistent_workers=False")
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str | Path) -> None:
    main([str(word) for word in command])


def test_a_detector_of_mmdet(folder: Path) -> None:
    generate_shapes(folder / "data", num_train=2, num_val=1, image_size=SIDE)
    name = "mmdet::retinanet/retinanet_r18_fpn_1x_coco"
    small = [*INLINE, "model.backbone.init_cfg=None", "train_cfg.max_epochs=1"]
    small += ["model.test_cfg.score_thr=0.0"]  # so that something is found
    small += [f"train_dataloader.dataset.pipeline.2.scale=({SIDE},{SIDE})"]
    small += [f"{p}_dataloader.dataset.pipeline.1.scale=({SIDE},{SIDE})" for p in ("val", "test")]
    run("train", name, "--data", "data", "--cfg-options", *small)
    saved = next(Path("work_dirs").rglob("last.pth"))
    config = saved.with_name("retinanet_r18_fpn_1x_coco.py")
    run("test", config, saved, "--work-dir", "test", "--show-dir", "drawn")
    run("predict", saved, "data/images/val", "--out", "found", "--score-threshold", "0")
    assert len(list(Path("drawn").glob("*.png"))) == len(list(Path("found").glob("*.png"))) == 1
    (ours,) = Predictor(saved, "cpu")("data/images/val/00001.jpg")
    assert ours.class_names == CLASSES and len(ours.boxes) > 0
    inferencer = DetInferencer(str(config), str(saved), device="cpu", show_progress=False)
    theirs = inferencer("data/images/val/00001.jpg")["predictions"][0]
    np.testing.assert_allclose(ours.boxes, theirs["bboxes"], atol=1e-3)
    np.testing.assert_allclose(ours.scores, theirs["scores"], atol=1e-5)


def test_a_segmentor_of_mmseg(folder: Path) -> None:
    random = np.random.default_rng(0)
    for part in ("train", "val"):
        for kind in ("images", "masks"):
            os.makedirs(f"data/{kind}/{part}")
        for number in range(2):
            labels = np.zeros((SIDE, SIDE), np.uint8)
            labels[20:60, 20:70], labels[60:, 40:] = 1, 2
            noise = random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            cv2.imwrite(f"data/images/{part}/{number}.png", noise)
            cv2.imwrite(f"data/masks/{part}/{number}.png", labels)
    Path("data/classes.txt").write_text("ground\nbox\nstrip\n")
    name = "mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024"
    small = [*INLINE, "train_cfg.max_iters=1", "train_cfg.val_interval=1"]
    small += [f"train_dataloader.dataset.pipeline.2.scale=({SIDE},{SIDE})"]
    small += [f"train_dataloader.dataset.pipeline.3.crop_size=({SIDE},{SIDE})"]
    small += [f"model.data_preprocessor.size=({SIDE},{SIDE})", "train_dataloader.batch_size=2"]
    small += [f"{p}_dataloader.dataset.pipeline.1.scale=({SIDE},{SIDE})" for p in ("val", "test")]
    run("train", name, "--data", "data", "--cfg-options", *small)
    saved = next(Path("work_dirs").rglob("last.pth"))
    config = saved.with_name("fast_scnn_8xb4-160k_cityscapes-512x1024.py")
    run("test", config, saved, "--work-dir", "test")
    (ours,) = Predictor(saved, "cpu")("data/images/val/0.png")
    assert ours.class_names == ("ground", "box", "strip")
    inferencer = MMSegInferencer(str(config), str(saved), device="cpu")
    theirs = inferencer("data/images/val/0.png")["predictions"]
    np.testing.assert_array_equal(ours.semantic, theirs)
