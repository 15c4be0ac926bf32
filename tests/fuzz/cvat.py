"""CVAT's XML."""

import random
from pathlib import Path
from typing import Any

from tests.fuzz.label_folder import HOSTILE_NAMES, disturb, disturbed, write_files
from tests.fuzz.mutation import encoded, mutated_tree
from tests.fuzz.reader import Hostile, Reader
from tests.fuzz.xml_samples import (
    BILLION_LAUGHS,
    OUTSIDE_FILE,
    QUADRATIC,
    element,
    to_xml,
)
from vitdet.datasets.formats.recognise import read_folder


def sample() -> dict[str, Any]:
    """One of each shape."""
    common = {"label": "cat", "occluded": "1", "group_id": "2"}
    corners = {"xtl": "5", "ytl": "5", "xbr": "30", "ybr": "20"}
    shapes = [
        element("box", element("attribute", "yes", name="old"), **common, **corners),
        element("box", **common, **corners, rotation="30"),
        element("polygon", **common, points="5,5;25,5;25,20"),
        element("ellipse", **common, cx="20", cy="20", rx="9", ry="5", rotation="10"),
        element("mask", **common, rle="3,4,8", left="2", top="2", width="5", height="3"),
        element("points", **common, points="1,1"),
    ]
    names = [element("label", element("name", name)) for name in ("cat", "dog")]
    meta = element("meta", element("task", element("labels", *names)))
    sides = {"width": "64", "height": "48", "subset": "train"}
    return element(
        "annotations",
        element("version", "1.1"),
        meta,
        element("image", *shapes, id="0", name="images/1.jpg", **sides),
        element("image", id="1", name="2.jpg", **sides),
    )


def write(folder: Path, rng: random.Random) -> Path:
    text = to_xml(mutated_tree(sample(), rng))
    write_files(folder, {"annotations.xml": encoded(text, rng)})
    disturb(folder, rng)
    return folder


def _text(text: str | bytes) -> Hostile:
    return lambda folder: write_files(folder, {"annotations.xml": text})


def _replaced(old: str, new: str) -> Hostile:
    assert old in _SOUND
    return _text(_SOUND.replace(old, new))


_SOUND = to_xml(sample())

HOSTILE: list[Hostile] = [
    _text(BILLION_LAUGHS + _SOUND.replace("yes", "&l9;")),
    _text(QUADRATIC + _SOUND.replace("yes", "&x;" * 50_000)),
    _text(OUTSIDE_FILE + _SOUND.replace("yes", "&x;")),
    _text("<annotations>" + "<image>" * 200_000), _text("<annotations>" * 200_000),
    _text("<annotations>" + "<image/>" * 100_000 + "</annotations>"),
    _text("<annotations><track/></annotations>"), _text("<annotations/>"),
    _replaced("5,5;25,5;25,20", "5,5;" * 500_000 + "1,1"),
    _replaced("5,5;25,5;25,20", "x;" * 500_000), _replaced("5,5;25,5;25,20", ";" * 1_000_000),
    _replaced("5,5;25,5;25,20", "nan,inf;1e308,1e308;-1e308,0"),
    _replaced('rle="3,4,8"', f'rle="{"0," * 500_000}15"'), _replaced('rle="3,4,8"', 'rle=""'),
    _replaced('rle="3,4,8"', f'rle="{"9" * 10_000}"'), _replaced('rle="3,4,8"', 'rle="1e8,-1e8"'),
    _replaced('width="5"', 'width="999999999"'), _replaced('left="2"', 'left="-999999999"'),
    _replaced('left="2"', 'left="999999999"'),
    _text(_SOUND.replace('"64"', '"999999999"').replace('"48"', '"999999999"')
          .replace('rle="3,4,8"', 'rle="999999999,0"').replace('width="5"', 'width="999999999"')
          .replace('height="3"', 'height="1"')),
    _text(_SOUND.replace('"64"', '"20000"').replace('"48"', '"20000"')),
    *(_replaced('rotation="30"', f'rotation="{text}"') for text in ("1e308", "nan", "inf", "x")),
    *(_replaced('xtl="5"', f'xtl="{text}"') for text in ("1e308", "nan", "9" * 10_000, "", "²")),
    _replaced('label="cat"', f'label="{"x" * 1_000_000}"'),
    *(_text(to_xml(element("annotations", element("image", name=name, width="5", height="5"))))
      for name in HOSTILE_NAMES),
    *disturbed(lambda folder: write_files(folder, {"annotations.xml": _SOUND})),
]  # fmt: skip

READER = Reader("cvat", write, read_folder, HOSTILE)
