"""Whole pipelines against mmdet's own: what a sample draws, its pixels, boxes and masks."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope

from vitdet.datasets import CocoDataset
from vitdet.datasets.boxed_masks import BoxedMasks

OURS = {"LoadAnnotations", "RandomFlip", "PackDetInputs"}
JITTER = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="RandomResize", scale=(96, 96), ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(
        type="RandomCrop",
        crop_size=(96, 96),
        crop_type="absolute",
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
    dict(type="FilterAnnotations", min_gt_bbox_wh=(1e-5, 1e-5), by_mask=True),
    dict(type="PackDetInputs"),
]
PIPELINES = {
    "resized": [
        *JITTER[:2],
        dict(type="Resize", scale=(133, 80), keep_ratio=True),
        dict(type="RandomFlip", prob=0.5, direction=["horizontal", "vertical", "diagonal"]),
        JITTER[-1],
    ],
    "jittered": JITTER,
    "disturbed": [*JITTER[:2], JITTER[2], dict(type="PhotoMetricDistortion"), JITTER[-1]],
    "boxes only": [
        JITTER[0],
        dict(type="LoadAnnotations", with_bbox=True),
        dict(type="RandomFlip", prob=0.5),
        JITTER[-1],
    ],
    "polygons": [
        JITTER[0],
        dict(type="LoadAnnotations", with_bbox=True, with_mask=True, poly2mask=False),
        *JITTER[2:4],
        JITTER[-1],
    ],
    "grey": [dict(type="LoadImageFromFile", color_type="grayscale"), *JITTER[1:]],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> CocoDataset:
    """Images of noise with polygons, one of two parts, run lengths, a crowd and a bad polygon."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for k, (height, width) in enumerate([(60, 90), (71, 50), (64, 64)]):
        cv2.imwrite(str(folder / f"{k}.png"), rng.integers(0, 256, (height, width, 3), np.uint8))
        images.append(dict(id=k, file_name=f"{k}.png", height=height, width=width))
        polygons = [
            [[5.5, 4.2, 40.1, 8, 33, 44.7, 9, 30]],
            [[1, 1, 9, 1, 9, 9], [30, 30, 45, 30, 45, 50]],
        ]
        counts = dict(
            size=[height, width], counts=[3 * height + 5, 20, height * width - 3 * height - 25]
        )
        for segmentation in (*polygons, counts, [[3, 3, 4, 4]]):
            annotation = dict(id=len(annotations) + 1, image_id=k, category_id=1)
            annotation |= dict(bbox=[1, 1, 40, 45], area=900, segmentation=segmentation)
            annotations.append({**annotation, "iscrowd": int(segmentation is counts and k == 1)})
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name="a")])
    (folder / "a.json").write_text(json.dumps(content))
    return CocoDataset(str(folder / "a.json"), data_prefix=dict(img=str(folder)), pipeline=[])


def composed(steps: list[dict], *, ours: bool) -> Compose:
    named = [
        {**step, "type": f"vitdet.{step['type']}"} if ours and step["type"] in OURS else step
        for step in steps
    ]
    with DefaultScope.overwrite_default_scope("mmdet"):
        return Compose(named)


def samples(data: CocoDataset, steps: list[dict], *, ours: bool) -> list[dict[str, Any] | None]:
    pipeline = composed(steps, ours=ours)
    found = []
    for seed in range(12):
        np.random.seed(seed)
        found.append(pipeline(data.get_data_info(seed % len(data))))
    return found


def assert_same_objects(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for part in ("gt_instances", "ignored_instances"):
        mine, other = getattr(ours["data_samples"], part), getattr(theirs["data_samples"], part)
        assert mine.keys() == other.keys()
        np.testing.assert_array_equal(mine.bboxes.numpy(), other.bboxes.numpy())
        np.testing.assert_array_equal(mine.labels, other.labels)
        if "masks" in other:
            np.testing.assert_array_equal(mine.masks.to_ndarray(), other.masks.to_ndarray())
    assert ours["data_samples"].metainfo == theirs["data_samples"].metainfo


@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_samples_are_those_of_mmdet(data: CocoDataset, steps: list[dict]) -> None:
    ours, theirs = samples(data, steps, ours=True), samples(data, steps, ours=False)
    assert sum(one is not None for one in theirs) > 6
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None)
        if other is not None:
            np.testing.assert_array_equal(mine["inputs"], other["inputs"])
            assert mine["inputs"].is_contiguous()
            assert_same_objects(mine, other)


def test_masks_go_on_as_crops(data: CocoDataset) -> None:
    packed = samples(data, PIPELINES["resized"], ours=True)[0]
    assert isinstance(packed["data_samples"].gt_instances.masks, BoxedMasks)


def test_jitter_on_bytes_is_within_a_level_of_floats(data: CocoDataset) -> None:
    """mmdet's recipes make floats of an image before it is scaled."""
    in_floats = [dict(JITTER[0], to_float32=True), *JITTER[1:]]
    ours, theirs = samples(data, JITTER, ours=True), samples(data, in_floats, ours=False)
    for mine, other in zip(ours, theirs, strict=True):
        if other is not None:
            difference = mine["inputs"].float() - other["inputs"]
            assert difference.abs().max() <= 1
            assert_same_objects(mine, other)


def test_photos_give_what_mmdet_makes_of_them(shared_data: Path) -> None:
    folder = shared_data / "coco128_train"
    photos = CocoDataset(
        str(folder / "annotations" / "instances.json"),
        data_prefix=dict(img=str(folder / "images")),
        pipeline=[],
    )
    for mine, other in zip(
        samples(photos, PIPELINES["resized"], ours=True),
        samples(photos, PIPELINES["resized"], ours=False),
        strict=True,
    ):
        np.testing.assert_array_equal(mine["inputs"], other["inputs"])
        assert_same_objects(mine, other)
