"""Pascal VOC's XML files."""

import random
from pathlib import Path
from typing import Any

from tests.fuzz.label_folder import (
    HOSTILE_NAMES,
    NAMES,
    disturb,
    disturbed,
    write_files,
)
from tests.fuzz.mutation import encoded, mutated_tree, mutated_words
from tests.fuzz.reader import Hostile, Reader
from tests.fuzz.xml_samples import (
    BILLION_LAUGHS,
    OUTSIDE_DTD,
    OUTSIDE_FILE,
    PARAMETER,
    QUADRATIC,
    element,
    to_xml,
)
from vitdet.datasets.formats.recognise import read_folder


def _texts(**texts: str) -> list[dict[str, Any]]:
    return [element(tag, text) for tag, text in texts.items()]


def sample(name: str) -> dict[str, Any]:
    """A box, a polygon and a turned box."""
    corners = dict(xmin="5", ymin="6", xmax="30", ymax="40")
    points = dict(x1="1", y1="1", x2="9", y2="1", x3="9", y3="9")
    turned = dict(cx="20", cy="20", w="10", h="5", angle="0.5")
    box = element("bndbox", *_texts(**corners))
    return element(
        "annotation",
        *_texts(folder="images", filename=name),
        element("size", *_texts(width="64", height="48", depth="3")),
        element("object", *_texts(name="cat", pose="Left", difficult="1"), box),
        element("object", *_texts(name="dog"), box, element("polygon", *_texts(**points))),
        element("object", *_texts(name="cat"), element("robndbox", *_texts(**turned))),
    )


def _files(text: str | bytes) -> dict[str, str | bytes]:
    others = {f"labels/{name[0]}.xml": to_xml(sample(name)) for name in NAMES}
    return {**others, "labels/2.xml": text, "ImageSets/Main/train.txt": "1\n2\n"}


def write(folder: Path, rng: random.Random) -> Path:
    files = _files(encoded(to_xml(mutated_tree(sample("2.jpg"), rng)), rng))
    if rng.random() < 0.1:
        files["ImageSets/Main/train.txt"] = encoded(mutated_words("1\n2\n3", rng), rng)
    write_files(folder, files)
    disturb(folder, rng)
    return folder


def _text(text: str | bytes) -> Hostile:
    return lambda folder: write_files(folder, _files(text))


def _replaced(old: str, new: str) -> Hostile:
    return _text(_SOUND.replace(old, new))


_SOUND = to_xml(sample("2.jpg"))
_OTHER_NAME = to_xml(sample("unlike.jpg"))

HOSTILE: list[Hostile] = [
    *(
        _text(attack + _SOUND.replace("cat", reference))
        for attack, reference in (
            (BILLION_LAUGHS, "&l9;"), (QUADRATIC, "&x;" * 50_000), (OUTSIDE_FILE, "&x;"),
            (OUTSIDE_DTD, "x"), (PARAMETER, "x"),
        )
    ),
    _text("<a>" * 500_000), _text("<annotation>" + "<object>" * 200_000),
    _text("<annotation>" + "<a>" * 200_000 + "</a>" * 200_000 + "</annotation>"),
    _text(f"<annotation {'a' * 10_000_000}='1'/>"),
    _text("<annotation>" + "<object><name>c</name></object>" * 100_000 + "</annotation>"),
    _text(_SOUND.encode("utf-16")), _text(_SOUND.encode("utf-32")), _text(b"\0" * 10_000),
    _text(f'<?xml version="1.0" encoding="{"x" * 1000}"?>{_SOUND}'),
    _text(f'<?xml version="1.0" encoding="utf-7"?>{_SOUND}'),
    _text(f'<?xml version="1.0" encoding="idna"?>{_SOUND}'),
    _text(f'<?xml version="1.0" encoding="base64"?>{_SOUND}'),
    _text("<!--" * 100_000), _text("<!--" + "-" * 1_000_000), _text("<?" * 100_000),
    *(_replaced(">30<", f">{text}<") for text in ("1e308", "nan", "-inf", "9" * 10_000, "²", "")),
    *(_replaced(">64<", f">{text}<") for text in ("1e308", "nan", "-5", "9" * 10_000, "1e18", "0")),
    *(_replaced(">0.5<", f">{text}<") for text in ("1e308", "nan", "inf", "x")),
    _replaced("<x1>1</x1>", "<x1>1</x1>" * 500_000),
    _replaced("cat", "c" * 1_000_000),
    *(
        lambda folder, name=name: write_files(
            folder, {"labels/9.xml": to_xml(sample(name)), "labels/1.xml": _OTHER_NAME}
        )
        for name in HOSTILE_NAMES
    ),
    *disturbed(lambda folder: write_files(folder, _files(_SOUND))),
]  # fmt: skip

READER = Reader("voc", write, read_folder, HOSTILE)
