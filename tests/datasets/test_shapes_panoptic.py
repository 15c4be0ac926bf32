"""Generated panoptic data: every pixel is of one segment, which is what the other labels say."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitdet.datasets import ShapesPanoptic
from vitdet.datasets.panoptic_check import check_panoptic
from vitdet.datasets.panoptic_files import panoptic_classes, read_panoptic, read_segment_ids
from vitdet.datasets.shapes import CLASSES
from vitdet.datasets.shapes_panoptic import generate_panoptic_shapes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panoptic")
    return generate_panoptic_shapes(folder, num_train=3, num_val=2, image_size=64)


@pytest.mark.parametrize("split", ["train", "val"])
def test_it_is_a_panoptic_data_set_like_any(root: Path, split: str) -> None:
    ann_file = root / f"panoptic_{split}.json"
    check_panoptic(ann_file, root / "images" / split, root / f"panoptic_{split}")
    classes = panoptic_classes(read_panoptic(ann_file))
    assert classes.things == CLASSES and classes.stuff == ("background",)
    dataset = ShapesPanoptic(
        ann_file=str(ann_file),
        data_prefix=dict(img=str(root / "images" / split), seg=str(root / f"panoptic_{split}")),
    )
    assert len(dataset) == {"train": 3, "val": 2}[split]


def test_segments_are_the_semantic_labels_and_the_things(root: Path) -> None:
    content = json.loads((root / "panoptic_train.json").read_text())
    things = json.loads((root / "train.json").read_text())["annotations"]
    for annotation in content["annotations"]:
        ids = read_segment_ids(root / "panoptic_train" / annotation["file_name"])
        semantic = cv2.imread(f"{root}/masks/train/{annotation['file_name']}", -1)
        category_of = np.zeros(ids.max() + 1, int)
        for segment in annotation["segments_info"]:
            assert segment["area"] == (ids == segment["id"]).sum()
            category_of[segment["id"]] = segment["category_id"] % (len(CLASSES) + 1)
        np.testing.assert_array_equal(category_of[ids], semantic)
        areas = sorted(one["area"] for one in things if one["image_id"] == annotation["image_id"])
        assert areas == sorted(segment["area"] for segment in annotation["segments_info"][1:])
