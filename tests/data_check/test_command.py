"""`vitdet check-data` as a user meets it."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.data_check.clean_folder import check, read_json, write_clean_folder, write_json
from vitdet.cli import main
from vitdet.data_check import check_brief
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_clean_folder(tmp_path / "data")


def plant(data: Path) -> None:
    content = read_json(data)
    content["annotations"][0]["bbox"] = [900, 900, 10, 10]
    content["annotations"][4]["category_id"] = 9
    content["categories"][2]["name"] = "boat <b>"
    write_json(data, content)
    val = read_json(data, "val")
    val["categories"][2]["name"] = "boat <b>"
    write_json(data, val, "val")


def code_of(*command: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["check-data", *map(str, command)])
    return stopped.value.code


def test_nothing_wrong(data: Path, capsys) -> None:
    main(["check-data", str(data)])
    out = capsys.readouterr().out
    assert re.search(r"train +\| +4 \| +4 \| +12 ", out)
    assert "zebra" in out and "errors" not in out


def test_errors_are_told_mended_and_drawn(data: Path, tmp_path: Path, capsys) -> None:
    plant(data)
    page, mended = tmp_path / "out" / "page.html", tmp_path / "mended"
    assert code_of(data, "--fix", mended, "--html", page) == 1
    out = capsys.readouterr().out
    assert "annotation of an unknown category: 1 in train" in out
    assert "train.json 22: image_id 2, category_id 9" in out
    assert not check(mended).has_errors
    html = page.read_text()
    assert "boat &lt;b&gt;" in html and "boat <b>" not in html
    assert html.count("data:image/jpeg;base64,") >= 4
    assert not re.search(r'(src|href)="(?!data:)', html)


@pytest.mark.parametrize("target", ["data/inside", "data"])
def test_no_mended_copy_into_what_is_there(target: str, data: Path, capsys) -> None:
    assert code_of(data, "--fix", data.parent / target) == 2
    assert "name" in capsys.readouterr().err


def test_nothing_to_check(tmp_path: Path, capsys) -> None:
    assert code_of(tmp_path) == 2
    assert capsys.readouterr().err.startswith("vitdet check-data: error: no labels in ")


def test_without_images_nothing_is_opened(data: Path, capsys) -> None:
    (data / "images/train/001.jpg").write_text("no image")
    main(["check-data", str(data), "--no-images"])
    assert "unreadable" not in capsys.readouterr().out
    assert code_of(data) == 1


def test_brief_lets_pass_what_can_be_mended(data: Path) -> None:
    plant(data)
    kinds = {
        one.kind for one in check_brief(read_folder(data))[1].findings if one.severity == "error"
    }
    assert kinds == {
        "annotation of an unknown category",
        "box outside the image",
        "mask and box apart",
    }


@pytest.mark.parametrize(
    "values", [{"image_id": 77}, {"category_id": 77}, {"bbox": [900, 0, 9, 9], "segmentation": []}]
)
def test_brief_refuses_what_would_lose_most(values: dict[str, Any], data: Path) -> None:
    content = read_json(data)
    for annotation in content["annotations"][:9]:
        annotation.update(values)
    write_json(data, content)
    with pytest.raises(UserError, match=r"9 of 12 annotations of .*train.json cannot") as told:
        check_brief(read_folder(data))
    assert "train.json 11 " in str(told.value) and "\n" not in str(told.value)


def test_brief_refuses_a_split_without_labels(data: Path) -> None:
    write_json(data, {**read_json(data), "annotations": []})
    with pytest.raises(UserError, match=r"train\.json: there are no annotations"):
        check_brief(read_folder(data))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two images with label PNGs of three classes, laid out as CamVid is."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for split in ("train", "val"):
        for folder in (split, f"{split}annot"):
            (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / split / "a.png")
        labels = np.zeros((40, 60), np.uint8)
        labels[:20, :30], labels[30:] = 1, 2
        Image.fromarray(labels).save(tmp_path / f"{split}annot" / "a.png")
    return tmp_path


def test_label_files_are_counted_and_drawn(labelled: Path, tmp_path: Path, capsys) -> None:
    (labelled / "classes.txt").write_text("sky\nroad\ncar\n")
    page = tmp_path / "page.html"
    main(["check-data", str(labelled), "--html", str(page)])
    out = capsys.readouterr().out
    assert re.search(r"road +\| +1 \| +25\.00% \| +1 \| +25\.00% ", out)
    html = page.read_text()
    assert html.count("data:image/jpeg;base64,") == 2 and "25.00%" in html


def test_every_fault_of_label_files_is_listed(labelled: Path, tmp_path: Path, capsys) -> None:
    (labelled / "classes.txt").write_text("sky\nroad\n")
    for name in "bcd":
        for folder in ("train", "trainannot"):
            shutil.copy(labelled / folder / "a.png", labelled / folder / f"{name}.png")
    (labelled / "train" / "b.png").write_bytes(b"no image")
    Image.new("L", (30, 20)).save(labelled / "trainannot" / "c.png")
    assert code_of(labelled, "--html", tmp_path / "page.html") == 1
    out = capsys.readouterr().out
    assert "errors (4)" in out  # two files, and the value 2 in both splits
    assert re.search(r"image \S+train/b\.png is damaged", out)
    assert "trainannot/c.png is 30x20, its image" in out
    assert "valannot/a.png has the value 2, which is no class" in out
    assert "1 of 1 images of val are in train too (val/a.png)" in out


def test_label_files_are_not_mended(labelled: Path, capsys) -> None:
    assert code_of(labelled, "--fix", labelled.parent / "mended") == 2
    assert capsys.readouterr().err.count("\n") == 1
