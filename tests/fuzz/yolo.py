"""YOLO's text files and `data.yaml`."""

import random
from pathlib import Path

import yaml

from tests.fuzz.label_folder import HOSTILE_NAMES, disturb, disturbed, write_files
from tests.fuzz.mutation import encoded, mutated_tree, mutated_words
from tests.fuzz.reader import Hostile, Reader
from vitdet.datasets.formats.recognise import read_folder

_LABELS = "0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.2 0.1 0.2 0.2 0.15 0.3\n"
_DATA = {
    "path": "/home/someone/data",
    "train": "images",
    "val": ["../images"],
    "nc": 2,
    "names": {0: "cat", 1: "dog"},
    "kpt_shape": [2, 3],
}
_FILES = {
    "labels/1.txt": _LABELS,
    "labels/2.txt": "1 0.5 0.5 0.2 0.3 0.1 0.1 2 0.2 0.2 0\n",
    "labels/3.txt": "",
    "data.yaml": yaml.safe_dump(_DATA),
}


def write(folder: Path, rng: random.Random) -> Path:
    files: dict[str, str | bytes] = dict(_FILES)
    chance = rng.random()
    if chance < 0.6:
        files["labels/1.txt"] = encoded(mutated_words(_LABELS, rng), rng)
    elif chance < 0.9:
        files["data.yaml"] = encoded(_as_yaml(mutated_tree(_DATA, rng)), rng)
    else:
        del files["data.yaml"]
        files["classes.txt"] = encoded(mutated_words("cat\ndog", rng), rng)
        files["train.txt"] = encoded(mutated_words("images/1.jpg\nimages/2.jpg", rng), rng)
    write_files(folder, files)
    disturb(folder, rng)
    return folder


def _with(**texts: str | bytes) -> Hostile:
    names = {"labels": "labels/1.txt", "data": "data.yaml", "classes": "classes.txt"}
    return lambda folder: write_files(
        folder, {**_FILES, **{names[key]: text for key, text in texts.items()}}
    )


_LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)

HOSTILE: list[Hostile] = [
    _with(labels="0 " + "0.5 " * 2_000_000),
    _with(labels="0 0.5 0.5 0.1 0.1\n" * 200_000),
    _with(labels="9" * 10_000 + " 0.5 0.5 0.1 0.1"),
    _with(labels="1e308 0.5 0.5 0.1 0.1"), _with(labels="100000 0.5 0.5 0.1 0.1"),
    _with(labels="nan nan nan nan nan"), _with(labels="0 nan inf -inf 1e308"),
    _with(labels="0 1e308 1e308 1e308 1e308 -1e308 1e308 1e308"),
    _with(labels="0 " + "9" * 1_000_000 + " 1 1 1"), _with(labels="²  0 0 0 0"),
    _with(labels="\0" * 1000), _with(labels=b"\xff\xfe"), _with(labels=b"\xff\xfe0\x000"),
    _with(labels="0 0.5 0.5 0.1 0.1".encode("utf-16")), _with(labels="\n" * 5_000_000),
    _with(labels=" " * 20_000_000), _with(labels="0 0.5 " + " " * 5_000_000 + "x"),
    _with(labels="0" * 5_000_000), _with(labels="0 " + "e" * 200_000 + "!"),
    _with(data=_LAUGHS + "names: *a9\ntrain: images\n"), _with(data=_LAUGHS),
    _with(data=_LAUGHS + "names: {0: *a9}\ntrain: images"),
    _with(data=_LAUGHS + "names: [a, b]\ntrain: *a9\npath: *a8"),
    _with(data="names: &a [*a]\ntrain: images"), _with(data="names: &a {0: *a}\ntrain: images"),
    _with(data="[" * 100_000), _with(data="{a: " * 20_000), _with(data="- " * 50_000),
    _with(data="names: !!python/object/apply:os.system ['true']\ntrain: images"),
    _with(data="names: {0: cat, 99999999999: dog}"), _with(data="names: {-1: cat}"),
    _with(data="names: {99999: cat}"), _with(data="names: {" + "9" * 5_000 + ": cat}"),
    _with(data="? [a, b]\n: c\nnames: [a]"), _with(data="names: [a]\nnames: [b]"),
    _with(data="? &a [x]\n: *a"), _with(data="<<: 3\nnames: [a, b]"),
    _with(data="names: [cat, dog]\nnc: " + "9" * 10_000),
    _with(data="names: [cat, dog]\nkpt_shape: ['" + "9" * 10_000 + "', '3']"),
    _with(data="names: [cat, dog]\nkpt_shape: ['²', '3']"),
    _with(data="names: [cat, dog]\nkpt_shape: ['0', '3']"),
    _with(data="names: [" + "a, " * 100_000 + "b]"),
    _with(data="names: [cat, dog]\ntrain: " + "../" * 100_000 + "images"),
    _with(data="names: [cat, dog]\ntrain: '" + "a/" * 100_000 + "'"),
    *(_with(data=f"names: [cat, dog]\ntrain: {name!r}\nval: {name!r}") for name in HOSTILE_NAMES),
    _with(classes="cat\n" * 3), _with(classes="x" * 5_000_000), _with(classes=b"\xff\0"),
    *disturbed(lambda folder: write_files(folder, _FILES)),
]  # fmt: skip

READER = Reader("yolo", write, read_folder, HOSTILE)


def _as_yaml(tree: object) -> str:
    """The tree as YAML; one that is too deep to be written as brackets as deep."""
    try:
        return yaml.safe_dump(tree)
    except RecursionError:
        return f"names: {'[' * 10_000}{']' * 10_000}"
