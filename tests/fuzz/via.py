"""VIA's json and csv files."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

from tests.fuzz.hostile_values import TEXTS, nested
from tests.fuzz.label_folder import HOSTILE_NAMES, NAMES, disturb, disturbed, write_files
from tests.fuzz.mutation import encoded, mutated_tree, mutated_words
from tests.fuzz.reader import Hostile, Reader
from vitdet.datasets.formats.recognise import read_folder

_SHAPES: list[dict[str, Any]] = [
    {"name": "rect", "x": 5, "y": 5, "width": 20, "height": 15},
    {"name": "polygon", "all_points_x": [5, 25, 25], "all_points_y": [5, 5, 20]},
    {"name": "circle", "cx": 20, "cy": 20, "r": 8},
    {"name": "ellipse", "cx": 20, "cy": 20, "rx": 8, "ry": 5, "theta": 0.3},
    {"name": "point", "cx": 2, "cy": 2},
]


def sample() -> dict[str, Any]:
    """A saved project: the regions of one image are a list, of the other numbered."""
    regions = [
        {"shape_attributes": shape, "region_attributes": {"class": "cat", "seen": {"a": True}}}
        for shape in _SHAPES
    ]
    images = {
        f"{name}100": {
            "filename": name,
            "size": 100,
            "regions": regions if name == "1.jpg" else dict(enumerate(regions)),
            "file_attributes": {"caption": ""},
        }
        for name in NAMES[:2]
    }
    options = {"region": {"class": {"type": "dropdown", "options": {"cat": "a cat"}}}}
    return {"_via_img_metadata": images, "_via_attributes": options}


def _as_csv() -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
    writer.writerow([*head, "region_shape_attributes", "region_attributes"])
    for number, shape in enumerate(_SHAPES):
        writer.writerow(["1.jpg", 100, "{}", 5, number, json.dumps(shape), '{"class": "cat"}'])
    return buffer.getvalue()


def write(folder: Path, rng: random.Random) -> Path:
    if rng.random() < 0.2:
        separator = rng.choice((",", " ", '"'))
        files = {"via.csv": encoded(mutated_words(_as_csv(), rng, separator=separator), rng)}
    else:
        files = {"via.json": encoded(json.dumps(mutated_tree(sample(), rng)), rng)}
    write_files(folder, files)
    disturb(folder, rng)
    return folder


def _json(text: str | bytes) -> Hostile:
    return lambda folder: write_files(folder, {"via.json": text})


def _csv(text: str | bytes) -> Hostile:
    return lambda folder: write_files(folder, {"via.csv": text})


def _region(**values: Any) -> Hostile:
    def case(folder: Path) -> Path:
        content = sample()
        content["_via_img_metadata"]["1.jpg100"]["regions"][0].update(values)
        return write_files(folder, {"via.json": json.dumps(content)})

    return case


def _shape(**shape: Any) -> Hostile:
    return _region(shape_attributes=shape)


def _attributes(attributes: Any) -> Hostile:
    return _region(region_attributes=attributes)


_SOUND, _TABLE = json.dumps(sample()), _as_csv()
_POINTS = list(range(1_000_000))

HOSTILE: list[Hostile] = [
    _json("[" * 100_000), _json('{"regions": [{"filename": "x", "size": ' + "[" * 100_000),
    _json(_SOUND.replace('"size": 100', '"size": ' + "9" * 10_000)),
    _json(_SOUND.replace('"x": 5', '"x": ' + "[" * 900 + "]" * 900)),
    _json(_SOUND.replace('"filename"', '"filename": "a", "filename"')),
    _shape(name="polygon", all_points_x=_POINTS, all_points_y=_POINTS),
    _shape(name="polygon", all_points_x=[1e308, -1e308, 0], all_points_y=[1e308, -1e308, 1]),
    _shape(name="polygon", all_points_x="12345", all_points_y="12345"),
    _shape(name="circle", cx=0, cy=0, r=1e308), _shape(name="circle", cx=0, cy=0, r=float("nan")),
    _shape(name="ellipse", cx=0, cy=0, rx=1, ry=1, theta=1e308),
    _shape(name="rect", x=1e308, y=1e308, width=1e308, height=1e308), _shape(name=[1]),
    _shape(name="x" * 1_000_000), _shape(name={"a": 1}), _shape(),
    *(_attributes({"class": text}) for text in TEXTS),
    *(_attributes({text: "a"}) for text in TEXTS),
    _attributes({"class": {"a": 1, "b": 1}}), _attributes([1]),
    _attributes({"class": nested(300)}),
    _csv(_TABLE + "1.jpg,1,{},1,1," + '"' * 100_000), _csv(_TABLE + '"' + "a" * 2_000_000),
    _csv(_TABLE + "1.jpg,1,{},1,1," + "[" * 100_000 + ",{}"),
    _csv("region_shape_attributes\n1\n[]"),
    _csv(_TABLE + "," * 1_000_000), _csv(_TABLE.replace("{", "[").replace("}", "]")),
    _csv("region_shape_attributes,filename\n" + '"{""name"": ""rect""}"\n' * 1000),
    _csv(_TABLE.encode("utf-16")), _csv(_TABLE + "\0"), _csv(_TABLE + "\r\r\n\r"),
    _csv("filename,region_shape_attributes,region_attributes\n" + 'a.jpg,"{}",3\n'),
    _csv("filename,region_shape_attributes,region_attributes\n" + 'a.jpg,3,"{}"\n'),
    *(_json(json.dumps({"k": {"filename": name, "size": 1, "regions": []}}))
      for name in HOSTILE_NAMES),
    *disturbed(lambda folder: write_files(folder, {"via.json": _SOUND})),
]  # fmt: skip

READER = Reader("via", write, read_folder, HOSTILE)
