"""`load_config` completes a config and finds what does not fit before anything is built."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.engine.conftest import TINY
from vitdet.datasets import CocoDataset, coco_files
from vitdet.engine import load_config
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError
from vitdet.evaluation import CocoMetric


def test_numbers_follow_from_backbone_and_data(data: Path, classes: tuple[str, ...]) -> None:
    config = load_config(TINY, data=data)
    assert config.model.neck.in_channels == [12, 24, 48, 96]
    assert config.model.roi_head.bbox_head.num_classes == len(classes)
    assert config.model.roi_head.mask_head.num_classes == len(classes)
    assert "num_classes" not in config.model.rpn_head
    for part in ("train", "val", "test"):
        assert config[f"{part}_dataloader"].dataset.metainfo.classes == classes
    assert config.val_evaluator.ann_file == str(data / "val.json")


def test_channels_of_a_foreign_backbone_are_found_by_running_it(data: Path) -> None:
    options = {"model.backbone": dict(_delete_=True, type="mmdet.ResNet", depth=18)}
    assert load_config(TINY, data=data, options=options).model.neck.in_channels == [
        64,
        128,
        256,
        512,
    ]


def test_options_have_the_last_word_over_data(data: Path) -> None:
    train_file = str(data / "train.json")
    options = {
        "val_dataloader.dataset.ann_file": train_file,
        "val_dataloader.dataset.data_prefix.img": str(data / "images/train"),
    }
    config = load_config(TINY, data=data, options=options)
    assert config.val_dataloader.dataset.ann_file == config.val_evaluator.ann_file == train_file
    assert config.test_evaluator.ann_file == str(data / "val.json")


def test_data_overrides_stated_classes(data: Path, classes: tuple[str, ...]) -> None:
    options = {"model.roi_head.bbox_head.num_classes": 80}
    config = load_config(TINY, data=data, options=options)
    assert config.model.roi_head.bbox_head.num_classes == len(classes)


def test_stated_number_that_contradicts_the_data_is_refused(tmp_path: Path, data: Path) -> None:
    saved = tmp_path / "saved.py"
    load_config(TINY, data=data).dump(saved)
    with pytest.raises(UserError, match=r"mask_head\.num_classes is 3, but .* has \d+ classes"):
        load_config(saved, options={"model.roi_head.mask_head.num_classes": 3})


def test_saved_config_loads_to_the_same(tmp_path: Path, data: Path) -> None:
    config = load_config(TINY, data=data)
    config.dump(tmp_path / "saved.py")
    assert load_config(tmp_path / "saved.py").to_dict() == config.to_dict()


def test_helper_variables_are_left_out(data: Path) -> None:
    config = load_config(TINY, data=data)
    assert "train_pipeline" not in config
    assert "MaskRCNN" not in config


def test_classes_of_the_config_choose_from_the_data(
    tmp_path: Path, data: Path, classes: tuple[str, ...]
) -> None:
    saved = tmp_path / "saved.py"
    config = load_config(TINY, data=data)
    chosen = (classes[2], classes[0])
    for part in ("train", "val", "test"):
        config[f"{part}_dataloader"].dataset.metainfo = dict(classes=chosen)
    for head in (config.model.roi_head.bbox_head, config.model.roi_head.mask_head):
        del head["num_classes"]
    config.dump(saved)
    loaded = load_config(saved)
    assert loaded.model.roi_head.bbox_head.num_classes == 2
    assert tuple(loaded.train_dataloader.dataset.metainfo.classes) == chosen


def test_misspelt_class_is_found_before_training(
    tmp_path: Path, data: Path, classes: tuple[str, ...]
) -> None:
    config = load_config(TINY, data=data)
    misspelt = (classes[0][:-1] + "x", *classes[1:])
    config.train_dataloader.dataset.metainfo = dict(classes=misspelt)
    config.dump(tmp_path / "saved.py")
    with pytest.raises(UserError, match=rf"did you mean '{classes[0]}'"):
        load_config(tmp_path / "saved.py")


def test_text_style_config_is_completed_too(
    tmp_path: Path, data: Path, classes: tuple[str, ...]
) -> None:
    text = tmp_path / "text.py"
    text.write_text(
        "_base_ = ['mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py']\n"
        "model = dict(backbone=dict(_delete_=True, type='vitdet.SwinTransformer', arch='small'),\n"
        "             neck=dict(in_channels=None))\n"
    )
    config = load_config(text, data=data)
    assert config.model.neck.in_channels == [96, 192, 384, 768]
    assert config.model.roi_head.bbox_head.num_classes == len(classes)
    assert tuple(config.train_dataloader.dataset.metainfo.classes) == classes


def test_shapes_are_generated_where_they_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config("swin_maskrcnn_shapes")
    root = Path(config.train_dataloader.dataset.data_root)
    assert len(json.loads((root / "val.json").read_text())["images"]) == 100


@pytest.mark.parametrize(
    "name", ["swin_maskrcnn_coco", "swin_maskrcnn_coco_3x", "swin_small_maskrcnn_coco_3x",
             "swin_base_maskrcnn_coco_3x", "focal_maskrcnn_coco"],
)  # fmt: skip
def test_shipped_configs_are_complete(name: str, data: Path) -> None:
    config = load_config(name, data=data)
    assert isinstance(config, Config)
    assert config.model.neck.in_channels[0] == (128 if "base" in name else 96)
    assert config.default_scope == "mmdet"


def test_data_replaces_generated_data_and_mmdets_classes(tmp_path: Path, data: Path) -> None:
    text = tmp_path / "text.py"
    text.write_text("_base_ = ['mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py']\n")
    for config in (load_config("swin_maskrcnn_shapes", data=data), load_config(text, data=data)):
        dataset, evaluator = config.train_dataloader.dataset, config.val_evaluator
        assert class_of(dataset, "mmdet") is CocoDataset
        assert class_of(evaluator, "mmdet") is CocoMetric
        assert list(evaluator.metric) == ["bbox", "segm"]
        assert dataset.ann_file == str(data / "train.json")


@pytest.mark.parametrize("config", [TINY, "swin_maskrcnn_coco"], ids=["tiny", "fitted"])
def test_each_annotation_file_is_read_once_and_not_changed(
    config: str | Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, contents = coco_files._read_json, []
    monkeypatch.setattr(
        coco_files,
        "_read_json",
        lambda file: contents.append((file, read(file))) or contents[-1][1],
    )
    load_config(config, data=data)
    assert sorted(Path(file).name for file, _ in contents) == ["train.json", "val.json"]
    assert all(content == read(file) for file, content in contents)


def test_what_to_train_on_need_not_be_there_for_a_test(
    tmp_path: Path, data: Path, classes: tuple[str, ...]
) -> None:
    config = load_config(TINY, data=data)
    node = config.train_dataloader.dataset
    node.pop("metainfo")
    node.ann_file = str(tmp_path / "train.json")
    for part in ("val", "test"):
        config[f"{part}_dataloader"].dataset.pop("metainfo")
    saved = tmp_path / "saved.py"
    config.dump(saved)
    with pytest.raises(UserError, match=r"annotation file not found: .*train\.json"):
        load_config(saved)
    loaded = load_config(saved, for_test=True)
    assert loaded.test_dataloader.dataset.metainfo.classes == classes

    truth = json.loads((data / "train.json").read_text())
    for category in truth["categories"]:  # the training's order is the model's, whatever the test's
        category["id"] = len(truth["categories"]) - category["id"]
    (tmp_path / "train.json").write_text(json.dumps(truth))
    loaded = load_config(saved, for_test=True)
    assert loaded.test_dataloader.dataset.metainfo.classes == classes[::-1]
