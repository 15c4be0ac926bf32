"""COCO's pairing of detections with objects, some images at a time, as they are predicted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vitdet.evaluation.coco_backends import detected_regions, target_regions
from vitdet.evaluation.coco_detections import Detections, IoUType
from vitdet.evaluation.coco_matching import Matched, match_best
from vitdet.evaluation.coco_truth import CocoTruth
from vitdet.evaluation.packed_truth import PackedTruth


class ImageMatcher:
    """Pairs what was found in images with their objects.

    Images do not influence each other until precision is read off, so matching some after others
    gives what matching all at once does, to the bit.
    """

    def __init__(
        self, truth: PackedTruth, classes: Sequence[str], iou_types: Sequence[IoUType]
    ) -> None:
        content = CocoTruth(truth.unpack(), classes)
        self._label_ids = list(content.ids_by_class.values())
        self._category_ids = content.category_ids
        self._image_numbers = content.image_numbers
        self._objects = {
            iou_type: target_regions(content.targets(iou_type), self._category_ids, iou_type)
            for iou_type in iou_types
        }

    def __call__(self, results: Sequence[Mapping[str, Any]]) -> list[dict[IoUType, Matched]]:
        """What became of the detections of images: of what `CocoMetric` keeps of each, in order.

        Nothing is said of any if one of the images is there twice.
        """
        numbers = np.array([self._image_numbers[one["image_id"]] for one in results])
        matched: list[dict[IoUType, Matched]] = [{} for _ in results]
        if len(set(numbers.tolist())) < len(numbers):
            return matched
        detections = Detections.from_results(results, self._label_ids)
        detections = detections.among(self._image_numbers, self._category_ids)
        order, num_classes = np.argsort(numbers), len(self._category_ids)
        for iou_type, objects in self._objects.items():
            here = np.flatnonzero(np.isin(objects.groups // num_classes, numbers))
            found = match_best(
                detected_regions(detections, self._category_ids, iou_type), objects[here]
            )
            ends = np.searchsorted(found.groups, (numbers[order] + 1) * num_classes)
            for place, one in zip(order.tolist(), found.split(ends), strict=True):
                matched[place][iou_type] = one
        return matched
