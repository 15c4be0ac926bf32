"""COCO's panoptic data for training and evaluation: things and stuff, every pixel of one."""

import os
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets import CocoPanopticDataset as MMDetCocoPanopticDataset
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from vitdet.datasets.panoptic_files import panoptic_classes, read_panoptic, read_segment_ids
from vitdet.errors import UserError
from vitdet.registry import DATASETS, TRANSFORMS


@DATASETS.register_module()
class CocoPanopticDataset(MMDetCocoPanopticDataset):
    """Images with segments from a panoptic annotation file and its PNGs, of whatever classes.

    Arguments are those of mmdet's class, and so is the filter of training images;
    `data_prefix["seg"]` is the folder of the PNGs. Label i is class i of `metainfo["classes"]`,
    things first; without names, all categories of the file are classes. Segments of categories
    that are no classes are left out.

    Each item of the list has `img_path`, `seg_map_path`, `img_id`, `height`, `width`, and
    `segments_info` with `id`, `category` (the label), `is_thing` and `is_crowd`.
    """

    METAINFO: dict = {}

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the annotation file. Raises UserError where it or a class name does not fit."""
        content = read_panoptic(self.ann_file)
        classes = panoptic_classes(
            content, classes=self._metainfo.get("classes"), source=self.ann_file
        )
        self._metainfo.update(
            classes=tuple(classes.ids), thing_classes=classes.things, stuff_classes=classes.stuff
        )
        self.cat_ids = list(classes.ids.values())
        self.cat2label = {category_id: label for label, category_id in enumerate(self.cat_ids)}
        annotations = {one["image_id"]: one for one in content["annotations"]}
        return [
            self.parse_data_info({"image": image, "annotation": annotations[image["id"]]})
            for image in content["images"]
            if image["id"] in annotations
        ]

    def parse_data_info(self, raw_data_info: dict) -> dict[str, Any]:
        """The item of one entry of `images` and its annotation."""
        image, annotation = raw_data_info["image"], raw_data_info["annotation"]
        segments = []
        for segment in annotation["segments_info"]:
            label = self.cat2label.get(segment["category_id"])
            if label is not None:
                segments.append(
                    {
                        "id": segment["id"],
                        "category": label,
                        "is_thing": label < len(self._metainfo["thing_classes"]),
                        "is_crowd": bool(segment.get("iscrowd", 0)),
                    }
                )
        return {
            "img_id": image["id"],
            "img_path": os.path.join(self.data_prefix["img"], image["file_name"]),
            "seg_map_path": os.path.join(self.data_prefix["seg"], annotation["file_name"]),
            "height": image["height"],
            "width": image["width"],
            "segments_info": segments,
        }


@TRANSFORMS.register_module()
class LoadPanopticSegments(BaseTransform):
    """Makes an object with box and mask of each segment, things and stuff alike.

    This is what DETR learns panoptic segmentation from (Carion et al. 2020, arXiv:2005.12872, sec.
    4.4). The boxes follow from the masks. Segments without a pixel are left out, and crowds go
    where mmdet keeps objects that are to be ignored; DETR's code takes them for objects.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `gt_bboxes`, `gt_bboxes_labels`, `gt_masks` and `gt_ignore_flags`, each of N.

        Raises UserError if the PNG is missing or of another size than the image.
        """
        ids = read_segment_ids(results["seg_map_path"])
        if ids.shape != tuple(results["ori_shape"]):
            raise UserError(
                f"{results['seg_map_path']} and {results['img_path']} are of different sizes, "
                f"{ids.shape[1]}x{ids.shape[0]} and "
                f"{results['ori_shape'][1]}x{results['ori_shape'][0]}"
            )
        segments, masks, boxes = [], [], []
        for segment in results["segments_info"]:
            mask = (ids == segment["id"]).view(np.uint8)
            x, y, width, height = cv2.boundingRect(mask)
            if width > 0:
                segments.append(segment)
                masks.append(mask)
                boxes.append((x, y, x + width, y + height))
        results["gt_bboxes"] = HorizontalBoxes(np.array(boxes, np.float32).reshape(-1, 4))
        results["gt_bboxes_labels"] = np.array([one["category"] for one in segments], np.int64)
        results["gt_ignore_flags"] = np.array([one["is_crowd"] for one in segments], bool)
        results["gt_masks"] = BitmapMasks(masks, *ids.shape)
        return results
