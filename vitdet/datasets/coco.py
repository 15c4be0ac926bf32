"""COCO-format data for training and evaluation."""

from collections import defaultdict
from typing import Any

from mmdet.datasets import CocoDataset as MMDetCocoDataset

from vitdet.datasets.coco_files import class_ids, read_coco
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
