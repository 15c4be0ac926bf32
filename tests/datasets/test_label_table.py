"""`classes.txt`: which value of a label file is which class."""

from pathlib import Path

import numpy as np
import pytest

from vitdet.datasets.label_table import IGNORED, UNKNOWN, numbered_table, read_label_table
from vitdet.errors import UserError


def table(folder: Path, text: str):
    (folder / "classes.txt").write_text(text, "utf-8")
    return read_label_table(folder / "classes.txt")


def test_line_k_names_the_value_k(tmp_path: Path) -> None:
    found = table(tmp_path, "sky\nroad surface\ncar\n\n")
    assert found.classes == ("sky", "road surface", "car")
    assert found.values == (0, 1, 2)
    assert found.lookup[:3].tolist() == [0, 1, 2]
    assert found.lookup[255] == IGNORED
    assert (found.lookup[3:255] == UNKNOWN).all()
    assert found == numbered_table(found.classes)


@pytest.mark.parametrize(
    ("line", "name", "colour"),
    [
        ("sky 1 2 3", "sky", (1, 2, 3)),
        ("sky, blue , 1,2, 3", "sky, blue", (1, 2, 3)),
        ("0: sky 1 2 3", "sky", (1, 2, 3)),
        ("1 2 3", "1 2 3", None),
        ("lane 2 3", "lane 2 3", None),
        ("a" + " ," * 50_000 + "b", "a" + " ," * 50_000 + "b", None),  # a pattern tries for hours
    ],
)
def test_colour_behind_a_name(
    tmp_path: Path, line: str, name: str, colour: tuple[int, int, int] | None
) -> None:
    found = table(tmp_path, f"{line}\nroad\n")
    assert found.classes == (name, "road")
    assert found.colours == ({} if colour is None else {colour: 0})


def test_colour_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 2 names no class"):
        table(tmp_path, "sky\n1: 10 20 30\n")


def test_ignored_values_leave_no_gap_in_the_labels(tmp_path: Path) -> None:
    found = table(tmp_path, "ignore\nsky\nIgnore\ncar\n")
    assert found.classes == ("sky", "car")
    assert found.lookup[:5].tolist() == [IGNORED, 0, IGNORED, 1, UNKNOWN]


def test_values_are_stated_where_lines_do_not_count_them(tmp_path: Path) -> None:
    found = table(tmp_path, "255: thing\nother\n17 : ignore\n0: ground\r\n")
    assert found.classes == ("ground", "other", "thing")
    assert found.values == (0, 1, 255)
    assert found.ignored == {17}
    assert found.lookup[[0, 1, 17, 255]].tolist() == [0, 1, IGNORED, 2]


def test_colours_follow_names(tmp_path: Path) -> None:
    found = table(tmp_path, "sky 0 128 255\n7: light pole, 9, 8,7\nignore 1 1 1\n")
    assert found.classes == ("sky", "light pole")
    assert found.colours == {(0, 128, 255): 0, (9, 8, 7): 7, (1, 1, 1): 2}
    assert found.palette == [(0, 128, 255), (9, 8, 7)]
    assert table(tmp_path, "sky 0 128 255\ncar").palette is None


def test_numbering_may_begin_above_zero() -> None:
    assert numbered_table(["a", "b"], first=1).lookup[:4].tolist() == [IGNORED, 0, 1, UNKNOWN]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sky\n\ncar", r"classes\.txt, line 2 names no class"),
        ("sky\n0: car", "value 0 is named twice: 'sky' and 'car'"),
        ("sky\ncar\nsky", "names 'sky' twice"),
        ("sky\nignore", "names 1 class: .* name the background too"),
        ("sky\n300: car", r"line 2: '300: car' has a number above 255"),
        ("sky 0 0 256\ncar", "line 1: .* above 255"),
        ("sky 1 1 1\ncar 1 1 1", "'sky' and 'car' have one colour"),
        ("\n".join(f"c{k}" for k in range(255)), "names 255 classes; at most 254"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        table(tmp_path, text)


def test_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes("sky\nStraße".encode("utf-8-sig"))
    assert read_label_table(tmp_path / "classes.txt").classes == ("sky", "Straße")
    (tmp_path / "classes.txt").write_bytes("sky\nStraße".encode("latin-1"))
    with pytest.raises(UserError, match=r"classes\.txt is not a text in UTF-8"):
        read_label_table(tmp_path / "classes.txt")


def test_the_table_survives_the_way_to_a_worker(tmp_path: Path) -> None:
    import pickle

    found = table(tmp_path, "sky 1 2 3\n9: car 4 5 6")
    again = pickle.loads(pickle.dumps(found))
    assert again == found and np.array_equal(again.lookup, found.lookup)
