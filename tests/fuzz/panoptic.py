"""COCO's panoptic json and PNGs."""

import json
import random
from pathlib import Path
from typing import Any

from tests.fuzz.hostile_values import TEXTS, VALUES
from tests.fuzz.image_samples import HEIGHT, WIDTH, image_bytes, label_bytes, png_bomb
from tests.fuzz.label_folder import NAMES, disturb, disturbed
from tests.fuzz.mutation import encoded, mutated_bytes, mutated_tree
from tests.fuzz.reader import Hostile, Reader
from vitdet.datasets.panoptic_check import check_panoptic
from vitdet.datasets.panoptic_files import find_panoptic


def sample() -> dict[str, Any]:
    segments = [
        {"id": number * 65793, "category_id": number, "iscrowd": 0, "bbox": [0, 0, 9, 9], "area": 9}
        for number in (1, 2)
    ]
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, name in enumerate(NAMES)
    ]
    annotations = [
        {"image_id": number, "file_name": f"{number}.png", "segments_info": segments}
        for number in range(len(NAMES))
    ]
    categories = [{"id": 1, "name": "cat", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}]
    return {"images": images, "annotations": annotations, "categories": categories}


def _write(folder: Path, content: str | bytes = "", png: bytes | None = None) -> Path:
    (folder / "annotations/panoptic_train").mkdir(parents=True)
    (folder / "images").mkdir()
    for number, name in enumerate(NAMES):
        (folder / "images" / name).write_bytes(image_bytes(name.rpartition(".")[2]))
        place = folder / f"annotations/panoptic_train/{number}.png"
        place.write_bytes(label_bytes() if png is None or number else png)
    text = content or json.dumps(sample())
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    (folder / "annotations/panoptic_train.json").write_bytes(data)
    return folder


def write(folder: Path, rng: random.Random) -> Path:
    if rng.random() < 0.8:
        _write(folder, encoded(json.dumps(mutated_tree(sample(), rng)), rng))
    else:
        _write(folder, png=mutated_bytes(label_bytes(), rng))
    disturb(folder, rng)
    return folder


def _text(text: str | bytes) -> Hostile:
    return lambda folder: _write(folder, text)


def _changed(level: str, key: str, value: Any) -> Hostile:
    content = sample()
    content[level][0][key] = value
    return _text(json.dumps(content))


_SOUND = json.dumps(sample())

HOSTILE: list[Hostile] = [
    _text("[" * 100_000), _text('{"images": ' * 20_000), _text(_SOUND.replace("65793", "9" * 9999)),
    _text("null"), _text("{}"), _text('{"images": [3], "annotations": [3], "categories": [3]}'),
    *(_changed("annotations", "file_name", text) for text in TEXTS),
    *(_changed("images", "file_name", text) for text in TEXTS),
    *(_changed("annotations", "segments_info", value) for value in VALUES),
    *(_changed("categories", "id", value) for value in VALUES[:27]),
    *(_changed("images", "width", value) for value in VALUES[:27]),
    _changed("annotations", "segments_info", [{"id": n, "category_id": 1} for n in range(100_000)]),
    lambda folder: _write(folder, png=png_bomb(13_000, 13_000)),
    lambda folder: _write(folder, png=png_bomb(20_000, 20_000, colour_type=0)),
    lambda folder: _write(folder, png=image_bytes("png", "I;16")),
    *disturbed(_write),
]  # fmt: skip


def read(folder: Path) -> None:
    train, _ = find_panoptic(folder)
    check_panoptic(train.ann_file, train.images, train.segments)


READER = Reader("panoptic", write, read, HOSTILE)
