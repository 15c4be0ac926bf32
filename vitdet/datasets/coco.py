"""COCO-format data for training and evaluation."""

import pickle
from array import array
from collections import defaultdict
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset as MMDetCocoDataset

from vitdet.datasets.coco_files import class_ids, read_coco
from vitdet.datasets.freed_memory import return_freed_memory
from vitdet.datasets.packed_instances import pack_instances, unpack_instances
from vitdet.errors import UserError
from vitdet.registry import DATASETS


@DATASETS.register_module()
class CocoDataset(MMDetCocoDataset):
    """Images with boxes and masks from a COCO annotation file, of whatever classes.

    Label i is class i of `metainfo["classes"]`, in that order. mmdet's class, whose other arguments
    and behaviour these are, numbers labels by the order of the file instead, drops names that the
    file lacks, and takes COCO's 80 names where none are given; here an unknown name is a UserError,
    and without names all categories of the file are classes, ordered by id.

    Each item of the list is the dict mmdet's transforms expect: `img_path`, `img_id`, `height`,
    `width`, and `instances` with `bbox` (xyxy pixels), `bbox_label`, `ignore_flag`, `mask`.

    The list is kept as bytes, about half of the file's size, that all workers of a loader share.
    """

    METAINFO: dict = {}

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the annotation file. Raises UserError where it or a class name does not fit."""
        self.data_prefix.setdefault("img", self.data_root or "")
        content = read_coco(self.ann_file)
        ids = class_ids(content, classes=self._metainfo.get("classes"), source=self.ann_file)
        self._metainfo["classes"] = tuple(ids)
        self.cat_ids = list(ids.values())
        self.cat2label = {category_id: label for label, category_id in enumerate(self.cat_ids)}
        self.cat_img_map: dict[int, list] = defaultdict(list)  # for the filter of empty images
        annotations: dict[Any, list] = defaultdict(list)
        for ann in content["annotations"]:
            ann.setdefault("area", ann["bbox"][2] * ann["bbox"][3])
            annotations[ann["image_id"]].append(ann)
            self.cat_img_map[ann["category_id"]].append(ann["image_id"])
        return [
            self.parse_data_info(
                {
                    "raw_img_info": {**image, "img_id": image["id"]},
                    "raw_ann_info": annotations.get(image["id"], []),
                }
            )
            for image in content["images"]
        ]

    def filter_data(self) -> list[dict[str, Any]]:
        """The items that `filter_cfg` leaves. Raises UserError if there are none."""
        kept = super().filter_data()
        if not kept:
            raise UserError(
                f"{self.ann_file}: filter_cfg={dict(self.filter_cfg or {})} leaves none of its "
                f"{len(self.data_list)} images; set filter_cfg=None in the config to keep all"
            )
        self.cat_img_map.clear()  # a number for each object, of no further use
        return kept

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """Bytes of all items, and where each ends; items are given up as they are packed."""
        packed, ends = bytearray(), array("q")
        for k, info in enumerate(self.data_list):
            self.data_list[k] = None
            packed += pickle.dumps({**info, "instances": pack_instances(info["instances"])}, 5)
            ends.append(len(packed))
        self.data_list.clear()
        return_freed_memory()
        return np.frombuffer(packed, dtype=np.uint8), np.array(ends)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """One item of the list, a new dict each time."""
        info = super().get_data_info(idx)
        if self.serialize_data:
            info["instances"] = unpack_instances(info["instances"])
        return info
