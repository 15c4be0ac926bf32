"""Label PNGs and `classes.txt`, as a segmentor's data are read and checked."""

import random
from pathlib import Path

from tests.fuzz.image_samples import image_bytes, label_bytes, png_bomb, png_with_text_bomb
from tests.fuzz.label_folder import disturb, disturbed
from tests.fuzz.mutation import encoded, mutated_bytes, mutated_words
from tests.fuzz.reader import Hostile, Reader
from vitdet.datasets.label_files import read_palette
from vitdet.datasets.label_table import read_label_table
from vitdet.datasets.semantic_check import check_values, count_values
from vitdet.datasets.semantic_folder import find_semantic, pair_files

_CLASSES = "sky 10 20 30\nroad 40 50 60\n2: tree 70 80 90\n255: ignore\n"


def _write(
    folder: Path, *, labels: bytes | None = None, classes: str | bytes = _CLASSES,
    image: bytes | None = None,
) -> Path:  # fmt: skip
    for number in range(3):
        for kind in ("images", "masks"):
            (folder / kind / "train").mkdir(parents=True, exist_ok=True)
        (folder / f"images/train/{number}.jpg").write_bytes(image or image_bytes("png"))
        content = label_bytes() if labels is None or number else labels
        (folder / f"masks/train/{number}.png").write_bytes(content)
    data = classes.encode("utf-8", "surrogatepass") if isinstance(classes, str) else classes
    (folder / "classes.txt").write_bytes(data)
    return folder


def write(folder: Path, rng: random.Random) -> Path:
    chance = rng.random()
    if chance < 0.3:
        _write(folder, classes=encoded(mutated_words(_CLASSES, rng), rng))
    elif chance < 0.8:
        labels = rng.choice((label_bytes(), image_bytes("png", rng.choice(("P", "1", "LA", "L")))))
        _write(folder, labels=mutated_bytes(labels, rng))
    else:
        endings = ("jpg", "png", "bmp", "tif", "webp")
        _write(folder, image=mutated_bytes(image_bytes(rng.choice(endings)), rng))
    disturb(folder, rng)
    return folder


def _labels(make: bytes) -> Hostile:
    return lambda folder: _write(folder, labels=make)


def _classes(text: str | bytes) -> Hostile:
    return lambda folder: _write(folder, classes=text)


HOSTILE: list[Hostile] = [
    *(_labels(image_bytes("png", mode)) for mode in ("L", "P", "1", "LA", "RGB", "RGBA", "I;16")),
    *(_labels(image_bytes("tif", mode)) for mode in ("F", "I", "CMYK", "LAB")),
    _labels(label_bytes(1, 1)), _labels(label_bytes(48, 64)),
    lambda folder: _write(folder, labels=png_bomb(13_000, 13_000)),
    lambda folder: _write(folder, labels=png_bomb(13_000, 13_000, colour_type=6)),
    lambda folder: _write(folder, labels=png_bomb(13_000, 13_000, colour_type=0)),
    lambda folder: _write(folder, labels=png_bomb(20_000, 20_000, colour_type=0)),
    lambda folder: _write(folder, labels=png_with_text_bomb()),
    lambda folder: _write(folder, image=png_bomb(13_000, 13_000)),
    _classes(""), _classes("\n" * 1_000_000), _classes("x\n" * 300_000), _classes("sky"),
    _classes("sky\nsky"), _classes("9" * 10_000 + ": sky\nroad"), _classes("²: sky\nroad"),
    _classes("sky " + "1 " * 500_000), _classes("sky 1 2 " + "9" * 10_000),
    _classes("sky" + "," * 300_000 + "x\nroad"), _classes("sky" + " 1" * 100_000 + "x\nroad"),
    _classes("x" * 10_000_000), _classes("\ud800\nroad"), _classes(b"\xff\xfe\nroad"),
    _classes("sky\0\nroad"), _classes("\n".join(f"class {n}" for n in range(255))),
    _classes("\n".join(f"{n}: ignore" for n in range(256))),
    _classes("1" + " " * 200_000 + ":a\nb"),
    *disturbed(_write),
]  # fmt: skip


def read(folder: Path) -> None:
    splits = find_semantic(folder)
    pairs = pair_files(*(folder / place for place in splits.train))
    table = read_label_table(folder / "classes.txt")
    counts = count_values(pairs, colours=dict(table.colours))
    check_values(counts, table, classes_file=folder / "classes.txt")
    read_palette(pairs[0][1])


READER = Reader("label_maps", write, read, HOSTILE)
