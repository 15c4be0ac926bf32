"""Panoptic data: found, read and checked, each fault told in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope

from tests.panoptic_samples import CATEGORIES, SIZE, panoptic_folder
from vitdet.datasets import CocoPanopticDataset
from vitdet.datasets.panoptic_check import check_panoptic
from vitdet.datasets.panoptic_files import (
    find_panoptic,
    panoptic_classes,
    read_segment_ids,
    write_segment_ids,
)
from vitdet.engine import load_config
from vitdet.errors import UserError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return panoptic_folder(tmp_path, num_train=3, num_val=1)


def files_of(data: Path) -> tuple[Path, Path, Path]:
    folder = data / "annotations"
    return folder / "panoptic_train2017.json", data / "train2017", folder / "panoptic_train2017"


def test_segment_ids_survive_a_png(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 2**24, (5, 7))
    write_segment_ids(tmp_path / "new" / "a.png", ids)
    assert np.array_equal(read_segment_ids(tmp_path / "new" / "a.png"), ids)
    red, green, blue = cv2.imread(tmp_path / "new" / "a.png")[0, 0, ::-1].tolist()
    assert red + 256 * green + 256**2 * blue == ids[0, 0]


def test_cocos_layout_is_found(data: Path) -> None:
    train, val = find_panoptic(data)
    assert (train.ann_file, train.images, train.segments) == files_of(data)
    assert val.images == data / "val2017"
    (data / "annotations" / "panoptic_val2017.json").unlink()
    assert find_panoptic(data) == (train, train)


def test_layout_of_the_sample(shared_data: Path) -> None:
    split, _ = find_panoptic(shared_data / "coco128_train")
    assert split.segments == shared_data / "coco128_train" / "panoptic" / "panoptic_train2017"
    assert split.images == shared_data / "coco128_train" / "images"
    check_panoptic(split.ann_file, split.images, split.segments)


@pytest.mark.parametrize(
    ("removed", "words"),
    [
        (
            "annotations/panoptic_train2017.json",
            "no panoptic annotations in .*; found annotations/",
        ),
        ("annotations/panoptic_train2017", "PNGs of .* are not there: no folder"),
        ("train2017", "images of .* not found: no '00001.jpg'"),
    ],
)
def test_what_is_not_there_is_named(data: Path, removed: str, words: str) -> None:
    (data / removed).rename(data / "elsewhere")
    with pytest.raises(UserError, match=words):
        find_panoptic(data)


def test_things_come_first() -> None:
    content = {"categories": CATEGORIES, "images": [], "annotations": []}
    classes = panoptic_classes(content)
    assert list(classes.ids.values()) == [*range(10, 16), 3] and classes.stuff == ("background",)
    few = panoptic_classes(content, classes=["leaf", "ball", "background"])
    assert few.things == ("leaf", "ball")
    with pytest.raises(UserError, match=r"'background' is stuff .* name the things first"):
        panoptic_classes(content, classes=["background", "leaf"])
    with pytest.raises(UserError, match=r"no category 'Leaf' .did you mean 'leaf'"):
        panoptic_classes(content, classes=["Leaf"])


def item_of(data: Path, **options: Any) -> Any:
    config = load_config("detr_panoptic_coco", data=data)
    node = config.train_dataloader.dataset
    node.pipeline = [*node.pipeline[:2], node.pipeline[-1]]
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(dict(node, **options))
    return dataset, dataset[0]


def test_every_segment_is_an_object_but_crowds(data: Path) -> None:
    dataset, item = item_of(data)
    assert isinstance(dataset, CocoPanopticDataset) and len(dataset) == 3
    assert dataset.metainfo["thing_classes"] == dataset.metainfo["classes"][:-1]
    info = dataset.get_data_info(0)
    ids = read_segment_ids(info["seg_map_path"])
    sample = item["data_samples"]
    objects = sample.gt_instances
    kept = [one for one in info["segments_info"] if not one["is_crowd"]]
    assert len(objects) == len(kept) >= 2 and len(sample.ignored_instances) == 1
    assert objects.labels.tolist() == [one["category"] for one in kept]
    assert 6 in objects.labels and not ids[:3].any()
    for one, mask, box in zip(kept, objects.masks, objects.bboxes.tensor.tolist(), strict=True):
        rows, columns = np.nonzero(ids == one["id"])
        assert np.array_equal(mask, ids == one["id"])
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_other_classes_are_no_objects_of_these(data: Path) -> None:
    _, item = item_of(data, metainfo=dict(classes=("background",)))
    assert item["data_samples"].gt_instances.labels.tolist() == [0]


def edit(data: Path, change: Callable[[dict], Any]) -> None:
    ann_file = files_of(data)[0]
    content = json.loads(ann_file.read_text())
    change(content)
    ann_file.write_text(json.dumps(content))


def first_segment(content: dict) -> dict:
    return content["annotations"][0]["segments_info"][0]


FAULTS = {
    "lacks isthing": lambda c: c["categories"][1].pop("isthing"),
    "number 2 of its annotations lacks segments_info": lambda c: c["annotations"][2].pop(
        "segments_info"
    ),
    "a segment of 00001.png lacks category_id": lambda c: first_segment(c).pop("category_id"),
    "segment 70000 of 00001.png is of category 77": lambda c: first_segment(c).update(
        category_id=77
    ),
    "which stands for no segment": lambda c: first_segment(c).update(id=0),
    "pixels of segments that its annotation does not list: 70000": lambda c: first_segment(
        c
    ).update(id=5),
    "1 annotations are of images that it does not list: ids 9": lambda c: c["annotations"][
        0
    ].update(image_id=9),
    "1 of 3 images have no annotation, or several: 00002.jpg": lambda c: c["annotations"].pop(1),
    "1 of 3 PNGs of .* are not in .*: lost.png": lambda c: c["annotations"][0].update(
        file_name="lost.png"
    ),
    r"a category with id 3 and name \['cat'\]": lambda c: c["categories"][0].update(name=["cat"]),
    "1 of 3 images of .* are not in .*: lost.jpg": lambda c: c["images"][0].update(
        file_name="lost.jpg"
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_planted_faults(data: Path, words: str) -> None:
    check_panoptic(*files_of(data))
    edit(data, FAULTS[words])
    with pytest.raises(UserError, match=words) as caught:
        check_panoptic(*files_of(data))
    assert "\n" not in str(caught.value) and "panoptic_train2017" in str(caught.value)


def test_pngs_that_do_not_fit_are_named(data: Path) -> None:
    path = files_of(data)[2] / "00002.png"
    ids = read_segment_ids(path)
    write_segment_ids(path, ids[:-1])
    with pytest.raises(UserError, match=f"00002.png is {SIZE}x{SIZE - 1}, but its image"):
        check_panoptic(*files_of(data))
    write_segment_ids(path, ids)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match=r"00002\.png is not an image"):
        check_panoptic(*files_of(data))


def test_configs_follow_the_data(data: Path) -> None:
    config = load_config("detr_panoptic_coco", data=data)
    assert (config.model.num_classes, config.model.num_thing_classes) == (7, 6)
    assert config.val_evaluator.seg_prefix.endswith("panoptic_val2017")
    with pytest.raises(UserError, match="num_thing_classes is 3, but the training data has 6"):
        saved = data / "saved.py"
        config.model.num_thing_classes = 3
        config.dump(saved)
        load_config(saved)
