"""A small data set in COCO format without a fault, to plant faults in."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vitdet.data_check.check import DataCheck
from vitdet.data_check.finding import Finding
from vitdet.datasets.formats.recognise import read_folder

WIDTH, HEIGHT = 64, 48
NAMES = ("zebra", "lamp", "boat")
BOXES = ((4, 6, 20, 16), (30, 10, 24, 30), (12, 26, 14, 12))


def write_clean_folder(root: Path, *, with_masks: bool = True) -> Path:
    """`train.json` with four images, `val.json` with two; three objects in each, one per class."""
    generator = np.random.default_rng(0)
    for name, first, count in (("train", 1, 4), ("val", 5, 2)):
        folder = root / "images" / name
        folder.mkdir(parents=True)
        images, annotations = [], []
        for image_id in range(first, first + count):
            pixels = generator.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
            picture = Image.fromarray(pixels).resize((WIDTH, HEIGHT))
            picture.save(folder / f"{image_id:03d}.jpg", quality=90 - image_id)
            images.append(
                {
                    "id": image_id,
                    "file_name": f"{image_id:03d}.jpg",
                    "width": WIDTH,
                    "height": HEIGHT,
                }
            )
            for category_id, box in enumerate(BOXES, 1):
                # Shifted from image to image, so that no two boxes look alike.
                box = [box[0] + image_id % 4, box[1] + image_id % 3, *box[2:]]
                annotation = {
                    "id": 10 * image_id + category_id,
                    "image_id": image_id,
                    "category_id": category_id,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
                if with_masks:
                    annotation["segmentation"] = [outline(box)]
                    annotation["area"] = 0.875 * box[2] * box[3]
                annotations.append(annotation)
        categories = [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"{name}.json").write_text(json.dumps(content))
    return root


def outline(box: list[float]) -> list[float]:
    """A box with its four corners cut, so that 7/8 of its area are left."""
    x, y, w, h = box
    dx, dy = w / 4, h / 4
    points = [
        *((x + dx, y), (x + w - dx, y), (x + w, y + dy), (x + w, y + h - dy)),
        *((x + w - dx, y + h), (x + dx, y + h), (x, y + h - dy), (x, y + dy)),
    ]
    return [value for point in points for value in point]


def read_json(root: Path, split: str = "train") -> dict[str, Any]:
    return json.loads((root / f"{split}.json").read_text())


def write_json(root: Path, content: dict[str, Any], split: str = "train") -> None:
    (root / f"{split}.json").write_text(json.dumps(content))


def check(root: Path, **options: Any) -> DataCheck:
    return DataCheck(read_folder(root), **options)


def of_kind(found: DataCheck, kind: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.kind == kind]


def serious(found: DataCheck) -> set[str]:
    """Kinds of errors and warnings."""
    return {one.kind for one in found.findings if one.severity != "note"}
