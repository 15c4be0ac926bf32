"""One's own annotated images, of any format, under a config by `--data`."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitdet.engine import load_config, train
from vitdet.engine.own_data import own_data
from vitdet.engine.training_check import check_training_data, findings_about
from vitdet.errors import UserError

CONFIG = Path(__file__).with_name("tiny_maskrcnn.py")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VITDET_CACHE", str(folder))
    return folder


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Ten images with two boxes each, not split, in YOLO's form."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    rng = np.random.default_rng(0)
    for k in range(10):
        picture = rng.integers(0, 255, size=(64, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{k}.jpg"), picture)
        (tmp_path / "labels" / f"{k}.txt").write_text("0 0.5 0.5 0.5 0.5\n1 0.3 0.3 0.4 0.4\n")
    return tmp_path


def test_what_is_not_split_is_split_and_the_folder_is_not_touched(yolo: Path, cache: Path) -> None:
    before = sorted(yolo.rglob("*"))
    found = own_data(yolo)
    assert sorted(yolo.rglob("*")) == before
    train_images, val_images = (
        {image["file_name"] for image in json.loads(path.read_text())["images"]}
        for path in (found.train_ann_file, found.val_ann_file)
    )
    assert len(train_images) == 8 and len(val_images) == 2 and not train_images & val_images
    assert own_data(yolo) == found  # the same for testing
    assert len(list(cache.glob("*.json"))) == 2


def test_copies_of_a_picture_are_not_on_both_sides(yolo: Path) -> None:
    for k in range(5):
        shutil.copy(yolo / "images" / f"{k}.jpg", yolo / "images" / f"{k + 5}.jpg")
    found = own_data(yolo)
    train_images, val_images = (
        {int(image["file_name"][0]) % 5 for image in json.loads(path.read_text())["images"]}
        for path in (found.train_ann_file, found.val_ann_file)
    )
    assert len(train_images) == 4 and len(val_images) == 1 and not train_images & val_images


def test_boxes_without_masks_train_a_mask_rcnn_without_its_mask_head(
    yolo: Path, tmp_path: Path
) -> None:
    config = load_config(CONFIG, data=yolo, options={"train_cfg.max_epochs": 1})
    assert "mask_head" not in config.model.roi_head
    assert config.train_dataloader.dataset.metainfo.classes == ("cat", "dog")
    folder = train(config, tmp_path / "run", device="cpu")
    scores = next(folder.glob("*/vis_data/scalars.json")).read_text()
    assert "bbox_mAP" in scores and "segm_mAP" not in scores


def test_a_model_that_is_nothing_without_masks_says_so(yolo: Path) -> None:
    with pytest.raises(UserError, match=r"swin_mask2former_coco.* learns masks.* boxes only"):
        load_config("swin_mask2former_coco", data=yolo)


def test_cocos_own_files_are_taken_as_they_are(data: Path, cache: Path) -> None:
    found = own_data(data)
    assert found.train_ann_file == data / "train.json" and found.has_masks
    assert not list(cache.glob("*.json"))


def test_faults_are_mended_for_the_run_and_told(
    yolo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr(
        "vitdet.engine.data_findings.print_log", lambda text, **_: told.append(text)
    )
    (yolo / "labels" / "0.txt").write_text("0 0.5 0.5 0.5 0.5\n7 0.3 0.3 0.4 0.4\n")
    (yolo / "images" / "1.jpg").write_bytes(b"")
    found = own_data(yolo)
    contents = [json.loads(path.read_text()) for path in (found.train_ann_file, found.val_ann_file)]
    names = {image["file_name"] for content in contents for image in content["images"]}
    assert names == {f"{k}.jpg" for k in range(2, 10)}
    assert any("mended for this run" in text and "0.txt" in text for text in told)


def test_a_report_shows_what_the_check_found(yolo: Path, tmp_path: Path) -> None:
    (yolo / "labels" / "0.txt").write_text("0 0.5 0.5 0.5 0.5\n7 0.3 0.3 0.4 0.4\n")
    config = load_config(CONFIG, data=yolo, options={"train_cfg.max_epochs": 1})
    page = (train(config, tmp_path / "run", device="cpu") / "report.html").read_text()
    assert "Data check" in page and "mended for this run" in page and "labels/0.txt" in page
    # The saved config names the mended copy: what is known of that is not forgotten.
    saved = load_config(tmp_path / "run" / CONFIG.name)
    assert "labels/0.txt" in findings_about(saved)


def test_data_of_a_config_are_checked_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    content = json.loads((folder / "train.json").read_text())
    content["annotations"].append(dict(content["annotations"][0], id=10**6))  # the same box twice
    (folder / "train.json").write_text(json.dumps(content))
    config = load_config(CONFIG, data=data)
    config.train_dataloader.dataset.ann_file = str(folder / "train.json")
    told = []
    monkeypatch.setattr(
        "vitdet.engine.data_findings.print_log", lambda text, **_: told.append(text)
    )
    assert findings_about(config) == ""
    check_training_data(config)
    check_training_data(config)
    assert len(told) == 1 and "trained on as they are" in told[0] and str(10**6) in told[0]
    assert str(10**6) in findings_about(config)


def test_nothing_left_to_train_on(tmp_path: Path) -> None:
    coco = dict(
        images=[dict(id=k, file_name=f"{k}.jpg", width=64, height=64) for k in (1, 2)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 30, 30])],
        categories=[dict(id=1, name="cat")],
    )
    (tmp_path / "train.json").write_text(json.dumps(coco))
    with pytest.raises(
        UserError, match=r"2 of 2 images .* cannot be used.*image file missing, 2 .*1\.jpg"
    ):
        own_data(tmp_path)
