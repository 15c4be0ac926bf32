"""COCO annotation files, read by `read_folder`, `check_coco` and mmdet's parts of our data set."""

import json
import random
from pathlib import Path
from typing import Any

from tests.fuzz.hostile_values import nested
from tests.fuzz.image_samples import HEIGHT, WIDTH
from tests.fuzz.label_folder import HOSTILE_NAMES, NAMES, disturb, disturbed, write_files
from tests.fuzz.mutation import encoded, mutated_tree
from tests.fuzz.reader import Hostile, Reader
from vitdet.datasets.coco_check import check_coco
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


def sample() -> dict[str, Any]:
    """Three images with polygons, both kinds of run lengths, and a crowd."""
    polygon = [[5, 5, 25, 5, 25, 20, 5, 20]]
    runs = {"size": [HEIGHT, WIDTH], "counts": [100, 20, HEIGHT * WIDTH - 120]}
    code = {"size": [HEIGHT, WIDTH], "counts": "T3d0l2O"}
    annotations = [
        {
            "id": 1 + number,
            "image_id": 1 + number % 3,
            "category_id": 1 + number % 2,
            "bbox": [5 + number, 5, 20, 15],
            "area": 300.0,
            "iscrowd": int(number == 2),
            "segmentation": (polygon, code, runs)[number % 3],
        }
        for number in range(6)
    ]
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, name in enumerate(NAMES, 1)
    ]
    categories = [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 2, "name": "dog"}]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def write(folder: Path, rng: random.Random) -> Path:
    files = {"train.json": encoded(json.dumps(mutated_tree(sample(), rng)), rng)}
    if rng.random() < 0.3:
        files["val.json"] = encoded(json.dumps(mutated_tree(sample(), rng)), rng)
    write_files(folder, files)
    disturb(folder, rng)
    return folder


def _text(text: str | bytes) -> Hostile:
    return lambda folder: write_files(folder, {"train.json": text})


def changed(**values: Any) -> Hostile:
    """The sample with parts of its first annotation, image and category set."""

    def case(folder: Path) -> Path:
        content = sample()
        for key, value in values.items():
            level, _, name = key.partition("__")
            content[level][0][name] = value
        return write_files(folder, {"train.json": json.dumps(content)})

    return case


def _many(count: int) -> Hostile:
    def case(folder: Path) -> Path:
        content = sample()
        content["annotations"] = [
            {**content["annotations"][0], "id": number} for number in range(count)
        ]
        return write_files(folder, {"train.json": json.dumps(content)})

    return case


_SOUND = json.dumps(sample())

HOSTILE: list[Hostile] = [
    *(_text(bracket * 100_000) for bracket in ("[", '{"a":', '{"images":[')),
    _text("[" * 100_000 + "]" * 100_000),
    _text(_SOUND.replace('"area": 300.0', '"area": ' + "[" * 50_000 + "]" * 50_000)),
    _text(_SOUND.replace("300.0", "9" * 10_000)),
    _text(_SOUND.replace("300.0", "1e99999")),
    _text(_SOUND.replace("300.0", "NaN")),
    _text(_SOUND.replace('"id": 1,', '"id": 1, "id": 2, "id": [],')),
    _text(_SOUND.replace("1.jpg", "\\ud800.jpg")),
    _text(_SOUND.replace("1.jpg", "a\\u0000b.jpg")),
    _text(_SOUND.encode("utf-16")),
    _text(_SOUND.replace("cat", "caf\xe9").encode("latin-1")),
    _text(b"\xef\xbb\xbf" + _SOUND.encode()),
    _text(" " * 50_000_000),
    _text(_SOUND + " " * 1_000_000 + "x"),
    _text("null"), _text("3"), _text('""'), _text("{}"),
    _text('{"images": {}, "annotations": [], "categories": []}'),
    _text('{"images": [1], "annotations": [2], "categories": [3]}'),
    *(changed(images__file_name=name) for name in HOSTILE_NAMES),
    changed(annotations__segmentation=[[float(n % 64) for n in range(2_000_000)]]),
    changed(annotations__segmentation=[[1, 1, 9, 1, 9, 9]] * 100_000),
    changed(annotations__segmentation={"size": [HEIGHT, WIDTH], "counts": [0, 1] * 1_000_000}),
    changed(annotations__segmentation={"size": [HEIGHT, WIDTH], "counts": "01" * 2_000_000}),
    changed(annotations__segmentation={"size": [10**5, 10**5], "counts": [0, 10**10]}),
    changed(annotations__segmentation=nested(300)),
    changed(annotations__bbox=[1e308] * 4),
    changed(annotations__bbox=[float("nan")] * 4),
    changed(annotations__bbox=[-1e308, -1e308, float("inf"), float("inf")]),
    changed(annotations__bbox=[0] * 1_000_000),
    changed(images__width=10**400), changed(images__width=10**9, images__height=10**9),
    changed(categories__name="x" * 1_000_000), changed(categories__id=10**400),
    changed(categories__name={"a": 1}), changed(categories__id=float("nan")),
    changed(categories__supercategory=[1]), changed(categories__supercategory={"a": 1}),
    _many(50_000),
    *disturbed(lambda folder: write_files(folder, {"train.json": _SOUND})),
]  # fmt: skip


def read(folder: Path) -> None:
    """Both ways in; the second is what a training goes through."""
    try:
        read_folder(folder)
    finally:
        try:
            check_coco(folder / "train.json", folder / "images")
        except UserError as error:
            assert "\n" not in str(error)


READER = Reader("coco", write, read, HOSTILE)
