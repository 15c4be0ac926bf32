"""COCO's ground truth as the evaluation regards it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pycocotools import mask as coco_mask

from vitdet.datasets.coco_files import class_ids
from vitdet.errors import UserError
from vitdet.evaluation.rle import segmentation_to_rle


class CocoTruth:
    """The images of an annotation file, and its objects of the classes that count.

    Attributes:
        images: entries in the order of their ids.
        image_numbers: place of each id in `images`: a file may name them by text.
        ids_by_class: category id of each class that counts.
        category_ids: these, ascending.
        annotations: entries of these categories.
    """

    def __init__(self, content: Mapping[str, Any], classes: Sequence[str] | None = None) -> None:
        """Take the content of an annotation file, which is not changed.

        `classes` names the categories that count and their order; by default all of them, by id.
        """
        self.ids_by_class = class_ids(content, classes=classes)
        self.images = sorted(content["images"], key=lambda image: image["id"])
        self.image_numbers = {image["id"]: number for number, image in enumerate(self.images)}
        self.category_ids = sorted(self.ids_by_class.values())
        counted = set(self.category_ids)
        self.annotations = [ann for ann in content["annotations"] if ann["category_id"] in counted]

    def targets(self, iou_type: str) -> list[dict[str, Any]]:
        """Copies of annotations, complete and numbered from 1: id 0 is "unmatched" in COCO.

        Their `image_id` is the image's number. Raises UserError where masks are compared and an
        object has none that is usable.
        """
        targets = []
        for number, ann in enumerate(self.annotations, start=1):
            image_number = self.image_numbers[ann["image_id"]]
            target = {
                "id": number,
                "image_id": image_number,
                "category_id": ann["category_id"],
                "iscrowd": int(ann.get("iscrowd", 0)),
                "bbox": ann["bbox"],
            }
            code = None
            if iou_type == "segm" or ("area" not in ann and ann.get("segmentation")):
                code = _target_code(ann, self.images[image_number])
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
