"""Three ways to COCO's precision and recall, given the same input."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask

from vitdet.evaluation.coco_detections import Detections, IoUType
from vitdet.evaluation.coco_matching import Regions, mask_areas, match_best
from vitdet.evaluation.coco_precision import precision_and_recall

Backend = Literal["numpy", "faster_coco_eval", "pycocotools"]
BACKENDS = ("numpy", "faster_coco_eval", "pycocotools")


def run_backend(
    backend: Backend,
    images: Sequence[Mapping[str, Any]],
    categories: list[int],
    *,
    targets: list[dict],
    detections: Detections,
    iou_type: IoUType,
) -> tuple[np.ndarray, np.ndarray]:
    """Precision: (10, 101, K, 4) and recall: (10, K, 4, 3), K as `categories`, ordered by id.

    Args:
        images: entries of the ground truth, by their numbers.
        targets: annotations with `image_id` (the number), `category_id`, `area`, `iscrowd` and
            `bbox` or run-length coded `segmentation`.
        detections: their `images` are numbers too.
    """
    if backend == "numpy":
        objects = target_regions(targets, categories, iou_type)
        return precision_and_recall(
            match_best(detected_regions(detections, categories, iou_type), objects),
            objects,
            len(categories),
        )
    results = _results(detections, iou_type)
    run = _run_pycocotools if backend == "pycocotools" else _run_faster_coco_eval
    return run(images, categories, targets, results, iou_type)


def detected_regions(
    detections: Detections, categories: Sequence[int], iou_type: IoUType
) -> Regions:
    """Columns of detections whose `images` are numbers."""
    groups = detections.images * len(categories)
    groups += np.searchsorted(categories, detections.category_ids)
    if iou_type == "bbox":
        areas = detections.boxes[:, 2] * detections.boxes[:, 3]
        return Regions(groups, areas, detections.boxes, scores=detections.scores)
    codes = _plain(detections.codes)
    areas, boxes = _of_codes(codes)
    return Regions(groups, areas, boxes, codes, detections.mask_scores)


def target_regions(
    targets: Sequence[Mapping[str, Any]], categories: Sequence[int], iou_type: IoUType
) -> Regions:
    """Columns of `CocoTruth.targets`."""
    images = np.array([one["image_id"] for one in targets], dtype=np.int64)
    category_ids = np.array([one["category_id"] for one in targets], dtype=np.int64)
    codes = _plain([one["segmentation"] for one in targets]) if iou_type == "segm" else None
    boxes = np.array([one["bbox"] for one in targets], dtype=np.float64).reshape(-1, 4)
    return Regions(
        images * len(categories) + np.searchsorted(categories, category_ids),
        np.array([one["area"] for one in targets], dtype=np.float64),
        boxes if codes is None else _of_codes(codes)[1],
        codes,
        is_crowd=np.array([one["iscrowd"] for one in targets], dtype=bool),
    )


def _plain(codes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without views of other kinds of mappings, which pycocotools does not take."""
    return [code if type(code) is dict else dict(code) for code in codes]


def _of_codes(codes: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) areas and (N, 4) boxes, x, y, width, height, of run-length codes."""
    if not codes:
        return np.zeros(0), np.zeros((0, 4))
    return mask_areas(codes), coco_mask.toBbox(codes)


def _results(detections: Detections, iou_type: IoUType) -> list[dict[str, Any]]:
    """Detections as the evaluators index them, each with the area that its IoU type gives it."""
    if iou_type == "bbox":
        key, shapes, scores = "bbox", detections.boxes.tolist(), detections.scores
        areas = detections.boxes[:, 2] * detections.boxes[:, 3]
    else:
        key, shapes, scores = "segmentation", detections.codes, detections.mask_scores
        areas = _of_codes(_plain(shapes))[0]
    columns = (detections.images, detections.category_ids, scores, areas)
    rows = zip(*(column.tolist() for column in columns), shapes, strict=True)
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": category_id,
            "score": score,
            "iscrowd": 0,
            "area": area,
            key: shape,
        }
        for number, (image, category_id, score, area, shape) in enumerate(rows, start=1)
    ]


def _index(
    api: Any, images: Sequence[Mapping[str, Any]], categories: list[int], annotations: list[dict]
) -> Any:
    """Fill an evaluator's `COCO` object; `loadRes` fails where there is no detection at all."""
    api.dataset = {
        "images": [
            {"id": number, "height": image.get("height"), "width": image.get("width")}
            for number, image in enumerate(images)
        ],
        "categories": [{"id": category_id} for category_id in categories],
        "annotations": annotations,
    }
    api.createIndex()
    return api


def _run_pycocotools(*problem: Any) -> tuple[np.ndarray, np.ndarray]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        return _run(COCO, COCOeval, *problem)


def _run_faster_coco_eval(*problem: Any) -> tuple[np.ndarray, np.ndarray]:
    from faster_coco_eval import COCO, COCOeval_faster

    return _run(COCO, COCOeval_faster, *problem)


def _run(
    api: Any,
    evaluation: Any,
    images: Sequence[Mapping[str, Any]],
    categories: list[int],
    targets: list[dict],
    results: list[dict],
    iou_type: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Precisions and recalls by the classes `COCO` and `COCOeval` of a backend."""
    evaluator = evaluation(
        _index(api(), images, categories, targets),
        _index(api(), images, categories, results),
        iou_type,
    )
    evaluator.evaluate()
    evaluator.accumulate()
    return evaluator.eval["precision"][..., -1], evaluator.eval["recall"]
