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

from vitdet.datasets.coco_files import some
from vitdet.errors import UserError
from vitdet.evaluation.coco_backends import BACKENDS, Backend, run_backend, target_regions
from vitdet.evaluation.coco_detections import Detections, IoUType
from vitdet.evaluation.coco_matching import Matched
from vitdet.evaluation.coco_precision import precision_and_recall
from vitdet.evaluation.coco_truth import CocoTruth

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
    truth = CocoTruth(ground_truth, classes)
    _check_truth(truth)
    if not isinstance(detections, Detections):
        detections = Detections.from_dicts(detections)
    _check_detections(detections, ground_truth, truth.image_numbers)
    arrays = {}
    for iou_type in iou_types:
        if iou_type not in ("bbox", "segm"):
            raise UserError(f"unknown IoU type {iou_type!r}: use 'bbox', 'segm' or both")
        targets = truth.targets(iou_type)
        detections.check(iou_type)
        arrays[iou_type] = run_backend(
            backend,
            truth.images,
            truth.category_ids,
            targets=targets,
            detections=detections.among(truth.image_numbers, set(truth.category_ids)),
            iou_type=iou_type,
        )
    return _scores(truth, arrays)


def evaluate_matched(
    ground_truth: Mapping[str, Any],
    matched: Mapping[Any, Mapping[IoUType, Matched]],
    *,
    classes: Sequence[str] | None = None,
) -> CocoScores:
    """What `evaluate_coco` returns, where `matched` says what became of each image's detections.

    It has what `ImageMatcher` finds, with the same classes, by the images' ids.
    """
    truth = CocoTruth(ground_truth, classes)
    _check_truth(truth)
    # What is compared makes no difference to how many objects there are, and of which area.
    objects = target_regions(truth.targets("bbox"), truth.category_ids, "bbox")
    images = [matched[one] for one in sorted(matched, key=truth.image_numbers.__getitem__)]
    arrays = {
        iou_type: precision_and_recall(
            Matched.joined([one[iou_type] for one in images]), objects, len(truth.category_ids)
        )
        for iou_type in images[0]
    }
    return _scores(truth, arrays)


def _scores(truth: CocoTruth, arrays: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> CocoScores:
    scores = {iou_type: _summarize(*both, truth.ids_by_class) for iou_type, both in arrays.items()}
    objects = [ann for ann in truth.annotations if not ann.get("iscrowd", 0)]
    instances = Counter(ann["category_id"] for ann in objects)
    shown = Counter(c for _, c in {(ann["image_id"], ann["category_id"]) for ann in objects})
    names = truth.ids_by_class.items()
    return CocoScores(
        bbox=scores.get("bbox"),
        segm=scores.get("segm"),
        num_images=len(truth.images),
        class_images={name: shown[category_id] for name, category_id in names},
        class_instances={name: instances[category_id] for name, category_id in names},
    )


def _check_truth(truth: CocoTruth) -> None:
    if all(ann.get("iscrowd", 0) for ann in truth.annotations):
        raise UserError(
            f"nothing to evaluate against: no annotated object of {some(truth.ids_by_class)} in "
            f"the ground truth ({len(truth.images)} images)"
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
