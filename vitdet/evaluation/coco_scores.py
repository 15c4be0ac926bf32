"""COCO's average precision and recall, as plain numbers from plain dictionaries.

The measure is defined by its reference implementation (https://cocodataset.org/#detection-eval),
which pycocotools is, faster-coco-eval rewrites in C++ and we rewrite in numpy. All fill the same
arrays, precision (10 IoU thresholds, 101 recalls, K classes, 4 areas) and recall (10, K, 4, 3
limits of detections); here they are given the same input and their arrays are summed up by the same
few lines.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from vitdet.datasets.coco_files import class_ids, some
from vitdet.errors import UserError
from vitdet.evaluation.coco_backends import BACKENDS, Backend, run_backend
from vitdet.evaluation.coco_detections import Detections, IoUType
from vitdet.evaluation.rle import segmentation_to_rle

ALL, SMALL, MEDIUM, LARGE = range(4)  # area ranges, split at 32² and 96² pixels
TOP_1, TOP_10, TOP_100 = range(3)  # best-scored detections regarded in each image and class


@dataclass(frozen=True)
class IoUScores:
    """The twelve COCO numbers for boxes or for masks, and average precision for each class.

    All lie in [0, 1]; nan means undefined: the ground truth has no such object. For each class,
    `class_ap_sizes` is the AP of small, medium and large objects, and `class_curve50` the
    precision at an IoU of 0.5 at recalls of 0, 0.01, ... 1: (101,), 0 where recall does not reach.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar1: float
    ar10: float
    ar100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    class_ap: dict[str, float]
    class_ap50: dict[str, float]
    class_ap_sizes: dict[str, tuple[float, float, float]]
    class_curve50: dict[str, np.ndarray] = field(compare=False)

    @property
    def stats(self) -> tuple[float, ...]:
        """The twelve numbers in the order in which COCO prints them."""
        return (
            *(self.ap, self.ap50, self.ap75, self.ap_small, self.ap_medium, self.ap_large),
            *(self.ar1, self.ar10, self.ar100, self.ar_small, self.ar_medium, self.ar_large),
        )


@dataclass(frozen=True)
class CocoScores:
    """Scores of one evaluation; `bbox` or `segm` is None where it was not asked for.

    `class_images` and `class_instances` count, for each class, the images that show it and its
    objects, crowds left out.
    """

    bbox: IoUScores | None
    segm: IoUScores | None
    num_images: int
    class_images: dict[str, int]
    class_instances: dict[str, int]


def evaluate_coco(
    ground_truth: Mapping[str, Any],
    detections: Sequence[Mapping[str, Any]] | Detections,
    *,
    iou_types: Sequence[IoUType] = ("bbox", "segm"),
    backend: Backend = "numpy",
    classes: Sequence[str] | None = None,
) -> CocoScores:
    """Score detections against COCO ground truth; neither is modified.

    `ground_truth` is the content of an annotation file. A detection holds `image_id`,
    `category_id`, `score` and, as the IoU types ask, `bbox` (x, y, width, height in pixels) and
    `segmentation` (run-length code); a `mask_score` replaces `score` where masks are compared.
    All images count, also those without a detection. `classes` names the categories that count
    and their order; by default all of them, by id.

    Raises UserError if ground truth and detections do not fit together.
    """
    if backend not in BACKENDS:
        raise UserError(f"unknown evaluation backend {backend!r}: use one of {some(BACKENDS)}")
    ids_by_class = class_ids(ground_truth, classes=classes)
    # Images are numbered anew, in the order of their ids: a file may name them by text.
    images = sorted(ground_truth["images"], key=lambda image: image["id"])
    image_numbers = {image["id"]: number for number, image in enumerate(images)}
    counted = set(ids_by_class.values())
    annotations = [ann for ann in ground_truth["annotations"] if ann["category_id"] in counted]
    if all(ann.get("iscrowd", 0) for ann in annotations):
        raise UserError(
            f"nothing to evaluate against: no annotated object of {some(ids_by_class)} in the "
            f"ground truth ({len(images)} images)"
        )
    if not isinstance(detections, Detections):
        detections = Detections.from_dicts(detections)
    _check_detections(detections, ground_truth, image_numbers)

    scores: dict[str, IoUScores] = {}
    for iou_type in iou_types:
        if iou_type not in ("bbox", "segm"):
            raise UserError(f"unknown IoU type {iou_type!r}: use 'bbox', 'segm' or both")
        targets = _targets(annotations, images, image_numbers, iou_type=iou_type)
        detections.check(iou_type)
        precision, recall = run_backend(
            backend,
            images,
            sorted(counted),
            targets=targets,
            detections=detections.among(image_numbers, counted),
            iou_type=iou_type,
        )
        scores[iou_type] = _summarize(precision, recall, ids_by_class)

    objects = [ann for ann in annotations if not ann.get("iscrowd", 0)]
    instances = Counter(ann["category_id"] for ann in objects)
    shown = Counter(c for _, c in {(ann["image_id"], ann["category_id"]) for ann in objects})
    return CocoScores(
        bbox=scores.get("bbox"),
        segm=scores.get("segm"),
        num_images=len(images),
        class_images={name: shown[category_id] for name, category_id in ids_by_class.items()},
        class_instances={
            name: instances[category_id] for name, category_id in ids_by_class.items()
        },
    )


def _check_detections(
    detections: Detections,
    ground_truth: Mapping[str, Any],
    image_numbers: Mapping[Any, int],
) -> None:
    unknown = set(detections.image_ids) - set(image_numbers)
    if unknown:
        raise UserError(
            f"detections on images that the ground truth does not list: ids {some(unknown)}; "
            "evaluate on the annotation file that the images were read from"
        )
    known = {category["id"] for category in ground_truth["categories"]}
    unknown = set(detections.category_ids.tolist()) - known
    if unknown:
        raise UserError(
            f"detections of categories that the ground truth does not list: ids {some(unknown)}; "
            f"it lists {some(known)}"
        )


def _targets(
    annotations: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    image_numbers: Mapping[Any, int],
    *,
    iou_type: str,
) -> list[dict[str, Any]]:
    """Copies of annotations, complete and numbered from 1: id 0 counts as "unmatched" in COCO."""
    targets = []
    for number, ann in enumerate(annotations, start=1):
        image_number = image_numbers[ann["image_id"]]
        target = {
            "id": number,
            "image_id": image_number,
            "category_id": ann["category_id"],
            "iscrowd": int(ann.get("iscrowd", 0)),
            "bbox": ann["bbox"],
        }
        code = None
        if iou_type == "segm" or ("area" not in ann and ann.get("segmentation")):
            code = _target_code(ann, images[image_number])
        if iou_type == "segm":
            target["segmentation"] = code
        target["area"] = ann["area"] if "area" in ann else _area(code, ann["bbox"])
        targets.append(target)
    return targets


def _target_code(ann: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return segmentation_to_rle(ann.get("segmentation"), image["height"], image["width"])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UserError(
            f"annotation {ann.get('id')} of image {ann['image_id']} has no usable segmentation: "
            "mend it, or evaluate boxes only"
        ) from error


def _area(code: Mapping[str, Any] | None, box: Sequence[float]) -> float:
    """Area in pixels of a run-length code, or else of a box (x, y, width, height)."""
    return float(box[2] * box[3]) if code is None else float(coco_mask.area(dict(code)))


def _summarize(
    precision: np.ndarray, recall: np.ndarray, ids_by_class: Mapping[str, int]
) -> IoUScores:
    """Sum up precision: (10, 101, K, 4) and recall: (10, K, 4, 3), K ordered by category id."""
    column = {category_id: k for k, category_id in enumerate(sorted(ids_by_class.values()))}
    ap, ar = precision, recall[..., TOP_100]  # the latter (10, K, 4)
    return IoUScores(
        ap=_mean(ap[..., ALL]),
        ap50=_mean(ap[0, ..., ALL]),
        ap75=_mean(ap[5, ..., ALL]),
        ap_small=_mean(ap[..., SMALL]),
        ap_medium=_mean(ap[..., MEDIUM]),
        ap_large=_mean(ap[..., LARGE]),
        ar1=_mean(recall[..., ALL, TOP_1]),
        ar10=_mean(recall[..., ALL, TOP_10]),
        ar100=_mean(ar[..., ALL]),
        ar_small=_mean(ar[..., SMALL]),
        ar_medium=_mean(ar[..., MEDIUM]),
        ar_large=_mean(ar[..., LARGE]),
        class_ap={name: _mean(ap[:, :, column[i], ALL]) for name, i in ids_by_class.items()},
        class_ap50={name: _mean(ap[0, :, column[i], ALL]) for name, i in ids_by_class.items()},
        class_ap_sizes={
            name: tuple(_mean(ap[:, :, column[i], size]) for size in (SMALL, MEDIUM, LARGE))
            for name, i in ids_by_class.items()
        },
        class_curve50={
            name: np.where(curve > -1, curve, math.nan)
            for name, curve in ((n, ap[0, :, column[i], ALL]) for n, i in ids_by_class.items())
        },
    )


def _mean(values: np.ndarray) -> float:
    """Mean over the defined entries; the evaluators write -1 where there is nothing to find."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else math.nan
