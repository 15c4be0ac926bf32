"""A small panoptic data set in COCO's layout, from generated shapes and what lies behind them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vitdet.datasets.panoptic_files import write_segment_ids
from vitdet.datasets.shapes import CLASSES, generate_shapes
from vitdet.evaluation.rle import decode_masks

STUFF = "background"
# As in nobody's data, stuff has the lowest id, so that classes have to be put in order.
CATEGORIES = [
    {"id": 3, "name": STUFF, "isthing": 0},
    *({"id": 10 + k, "name": name, "isthing": 1} for k, name in enumerate(CLASSES)),
]
SIZE = 64


def panoptic_folder(root: Path, *, num_train: int = 4, num_val: int = 2) -> Path:
    """Write images, annotations and PNGs into `root` as COCO names them.

    The upper three rows of each image are void, and its first thing is a crowd.
    """
    generate_shapes(root, num_train=num_train, num_val=num_val, image_size=SIZE)
    (root / "annotations").mkdir()
    for split in ("train", "val"):
        shapes = json.loads((root / f"{split}.json").read_text())
        (root / "images" / split).rename(root / f"{split}2017")
        annotations = [_annotate(root, split, shapes, image) for image in shapes["images"]]
        content = dict(images=shapes["images"], annotations=annotations, categories=CATEGORIES)
        (root / "annotations" / f"panoptic_{split}2017.json").write_text(json.dumps(content))
        (root / f"{split}.json").unlink()
    return root


def _annotate(
    root: Path, split: str, shapes: dict[str, Any], image: dict[str, Any]
) -> dict[str, Any]:
    things = [one for one in shapes["annotations"] if one["image_id"] == image["id"]]
    masks = decode_masks([one["segmentation"] for one in things], SIZE, SIZE)
    ids = np.full((SIZE, SIZE), 70000)
    infos = [{"id": 70000, "category_id": 3, "iscrowd": 0}]
    for number, (thing, mask) in enumerate(zip(things, masks, strict=True)):
        ids[mask] = 300 + number
        is_crowd, category = int(number == 0), thing["category_id"] + 9
        infos.append({"id": 300 + number, "category_id": category, "iscrowd": is_crowd})
    ids[:3] = 0
    name = f"{image['id']:05d}.png"
    write_segment_ids(root / "annotations" / f"panoptic_{split}2017" / name, ids)
    infos = [one for one in infos if (ids == one["id"]).any()]
    return {"image_id": image["id"], "file_name": name, "segments_info": infos}
