"""The generated data set `shapes` as panoptic data: its things, and the background as stuff."""

import json
import os
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from vitdet.datasets.coco_panoptic import CocoPanopticDataset
from vitdet.datasets.generated import ensure_generated
from vitdet.datasets.panoptic_files import write_segment_ids
from vitdet.datasets.shapes import CLASSES, SHAPES_VERSION, generate_shapes
from vitdet.registry import DATASETS

NUM_TRAIN = 8000  # 1,000 images would be learned by heart
BACKGROUND = len(CLASSES) + 1  # the category id of what is no thing, clutter among it


def generate_panoptic_shapes(root: str | os.PathLike[str], **sizes: int) -> Path:
    """Write what `generate_shapes` does, and `panoptic_{train,val}.json`, each with its PNGs.

    Segment 1 of an image is its background, the others are its things, front to back.
    """
    root = generate_shapes(root, **sizes)
    categories = [
        *({"id": k, "name": name, "isthing": 1} for k, name in enumerate(CLASSES, start=1)),
        {"id": BACKGROUND, "name": "background", "isthing": 0},
    ]
    for split in ("train", "val"):
        shapes = json.loads((root / f"{split}.json").read_text())
        things = {
            image_id: list(group)
            for image_id, group in groupby(shapes["annotations"], lambda thing: thing["image_id"])
        }
        folder = root / f"panoptic_{split}"
        annotations = [_annotate(folder, image, things[image["id"]]) for image in shapes["images"]]
        content = dict(images=shapes["images"], annotations=annotations, categories=categories)
        (root / f"panoptic_{split}.json").write_text(json.dumps(content))
    return root


def _annotate(folder: Path, image: dict[str, Any], things: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the PNG of an image; returns its panoptic annotation."""
    ids = np.ones((image["height"], image["width"]), np.int32)
    masks = coco_mask.decode([thing["segmentation"] for thing in things])  # (H, W, T)
    for segment_id, mask in enumerate(masks.transpose(2, 0, 1), start=2):
        ids[mask.astype(bool)] = segment_id
    name = f"{image['id']:05d}.png"
    write_segment_ids(folder / name, ids)
    categories = [BACKGROUND, *(thing["category_id"] for thing in things)]
    segments = [
        dict(id=segment_id, category_id=category, area=int((ids == segment_id).sum()), iscrowd=0)
        for segment_id, category in enumerate(categories, start=1)
    ]
    return dict(image_id=image["id"], file_name=name, segments_info=segments)


@DATASETS.register_module()
class ShapesPanoptic(CocoPanopticDataset):
    """A `CocoPanopticDataset` whose files are generated when they are not there."""

    @classmethod
    def prepare(cls, data_root: str | os.PathLike[str]) -> None:
        """Generate the data at `data_root`; `vitdet.engine.load_config` calls this."""
        recipe = dict(kind="panoptic", version=SHAPES_VERSION, num_train=NUM_TRAIN)
        ensure_generated(data_root, recipe, partial(generate_panoptic_shapes, num_train=NUM_TRAIN))
