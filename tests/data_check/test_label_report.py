"""The label check tells in a few lines what it counted."""

import numpy as np

from vitdet.data_check.label_report import label_report
from vitdet.datasets.label_table import LabelTable, numbered_table
from vitdet.datasets.semantic_check import LabelCounts


def counts(*files: dict[int, int], num_files: int | None = None) -> LabelCounts:
    pixels = np.zeros((len(files), 256), np.int64)
    for row, file in zip(pixels, files, strict=True):
        row[list(file)] = list(file.values())
    return LabelCounts(
        tuple(f"{k}.png" for k in range(len(files))), pixels, num_files or len(files)
    )


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the table by class."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: others for first, *others in cells}


def test_classes_have_their_pixels_and_images() -> None:
    table = LabelTable(("sky", "car"), (4, 9), frozenset({0, 255}))
    splits = {"train": counts({4: 30, 9: 60}, {4: 5, 255: 5}), "val": counts({0: 3, 4: 1})}
    found = rows(label_report(splits, table))
    assert found["sky"] == ["4", "35.00%", "2", "25.00%", "1"]
    assert found["car"] == ["9", "60.00%", "1", "0.00%", "0"]
    assert found["ignored"] == ["0, 255", "5.00%", "1", "75.00%", "1"]


def test_what_to_mind_is_said() -> None:
    table = numbered_table(["sky", "void", "car"])
    train = counts({0: 1, 1: 1}, {255: 4}, num_files=5000)
    text = label_report({"train": train}, table)
    assert "train: 2 of 5000 files were read" in text
    assert "train: never occurs: car" in text
    assert "train: nothing is labelled in 1 of 2 files: 1.png" in text
    assert "'void' is learnt and scored" in text


def test_a_class_zero_that_is_ignored_by_mistake_shows() -> None:
    table = numbered_table(["sky", "road", "car"], first=1)
    assert "labels that count from 0" in label_report({"train": counts({0: 1, 1: 1, 2: 1})}, table)
    assert "count from 0" not in label_report({"train": counts({0: 1, 1: 1, 3: 1})}, table)


def test_of_many_classes_the_largest_are_shown() -> None:
    table = numbered_table([f"c{k}" for k in range(100)])
    found = rows(label_report({"val": counts({k: k + 1 for k in range(100)})}, table))
    assert "c99" in found and "c70" in found and "c69" not in found
    assert found["70 others"] == ["", f"{70 * 71 / 100 / 101:.2%}", "1"]
