"""LabelMe's json files."""

import base64
import json
import random
from pathlib import Path
from typing import Any

from tests.fuzz.image_samples import (
    HEIGHT,
    WIDTH,
    label_bytes,
    png_bomb,
    png_that_claims,
    png_with_text_bomb,
)
from tests.fuzz.label_folder import HOSTILE_NAMES, disturb, disturbed, write_files
from tests.fuzz.mutation import encoded, mutated_bytes, mutated_tree
from tests.fuzz.reader import Hostile, Reader
from vitdet.datasets.formats.recognise import read_folder


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def sample(name: str = "1.jpg") -> dict[str, Any]:
    """One of each shape."""
    square, pair = [[5, 5], [25, 5], [25, 20], [5, 20]], [[5, 5], [15, 15]]
    shapes: list[dict[str, Any]] = [
        {"label": "cat", "points": square, "shape_type": "polygon", "group_id": 1, "flags": {}},
        {"label": "cat", "points": square, "shape_type": "polygon", "group_id": 1},
        {"label": "dog", "points": pair, "shape_type": "rectangle", "flags": {"odd": True}},
        {"label": "dog", "points": pair, "shape_type": "circle"},
        {"label": "dog", "points": pair, "shape_type": "line"},
        {
            "label": "cat",
            "points": [[3, 3], [12, 9]],
            "shape_type": "mask",
            "mask": _base64(label_bytes(10, 7)),
        },
    ]
    sides = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
    return {"version": "5.0", "shapes": shapes, "imagePath": f"../images/{name}", **sides}


def _files(text: str | bytes) -> dict[str, str | bytes]:
    return {"labels/1.json": text, "labels/2.json": json.dumps(sample("2.jpg"))}


def write(folder: Path, rng: random.Random) -> Path:
    content = sample()
    if rng.random() < 0.1:
        content["shapes"][-1]["mask"] = _base64(mutated_bytes(label_bytes(10, 7), rng))
    write_files(folder, _files(encoded(json.dumps(mutated_tree(content, rng)), rng)))
    disturb(folder, rng)
    return folder


def _text(text: str | bytes) -> Hostile:
    return lambda folder: write_files(folder, _files(text))


def _shape(**values: Any) -> Hostile:
    def case(folder: Path) -> Path:
        content = sample()
        content["shapes"].insert(0, {**content["shapes"][0], **values})
        return write_files(folder, _files(json.dumps(content)))

    return case


def _mask(content: bytes, points: Any = ((3, 3), (12, 9))) -> Hostile:
    return _shape(shape_type="mask", points=points, mask=_base64(content))


def _named(name: str) -> Hostile:
    """The json is called otherwise, so that the name in it counts."""
    content = json.dumps({**sample(), "imagePath": name})
    return lambda folder: write_files(folder, {"labels/other.json": content})


def _sized(width: Any, height: Any) -> Hostile:
    return _text(json.dumps({**sample(), "imageWidth": width, "imageHeight": height}))


_SOUND = json.dumps(sample())
_HUGE = 999_999_999

HOSTILE: list[Hostile] = [
    _text("[" * 100_000), _text('{"shapes": [' * 20_000), _text('{"shapes": [], "imagePath":'),
    _text(_SOUND.replace('"label": "cat"', '"label": ' + "[" * 900 + "]" * 900)),
    _text(_SOUND.replace("[5, 5]", "[" + "9" * 10_000 + ", 5]")),
    _text(_SOUND.replace("[5, 5]", "[NaN, Infinity]")),
    _text(_SOUND.replace("[5, 5]", "[1e999,0]")),
    _text(_SOUND.replace('"label"', '"label": "x", "label"')),
    *(lambda folder, make=make: _mask(make())(folder) for make in (
        lambda: png_bomb(20_000, 20_000, colour_type=0), lambda: png_bomb(13_000, 13_000),
        lambda: png_that_claims(2**31 - 1, 2**31 - 1), lambda: png_that_claims(50_000, 3_000),
        png_with_text_bomb, lambda: b"", lambda: label_bytes()[:60], lambda: b"GIF89a",
    )),
    _mask(label_bytes(), points=[[_HUGE, -_HUGE]]), _mask(label_bytes(), points=[[1e308, 0]]),
    _mask(label_bytes(), points=[[-1e9, 0]]), _mask(label_bytes(), points=[[float("nan"), 0]]),
    _sized(_HUGE, _HUGE), _sized(_HUGE, 0), _sized(20_000, 20_000), _sized(10**400, 5),
    _sized(float("nan"), 5), _sized(-5, -5), _sized("64", "48"), _sized(1, _HUGE),
    _shape(points=[[n % 64, n % 48] for n in range(500_000)]),
    _shape(points=[[1e308, -1e308]] * 3), _shape(shape_type="circle", points=[[0, 0], [1e308] * 2]),
    _shape(shape_type="x" * 1_000_000), _shape(label="x" * 1_000_000), _shape(flags={"a": 1e308}),
    _shape(group_id={"a": []}), _shape(group_id=10**400), _shape(label={"a": 1}), _shape(points=[]),
    *map(_named, HOSTILE_NAMES),
    *disturbed(lambda folder: write_files(folder, _files(_SOUND))),
]  # fmt: skip

READER = Reader("labelme", write, read_folder, HOSTILE)
