"""Each kind of fault, planted alone, is found with its file and id, and is gone when mended."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data_check import planted_annotations, planted_entries  # noqa: F401  they fill PLANTED
from tests.data_check.clean_folder import (
    HEIGHT,
    WIDTH,
    check,
    of_kind,
    read_json,
    serious,
    write_clean_folder,
    write_json,
)
from tests.data_check.planting import PLANTED, Planted
from vitdet.data_check import check_files
from vitdet.data_check.check import DataCheck
from vitdet.data_check.faults import FAULTS
from vitdet.data_check.mend import mend
from vitdet.datasets.formats.coco_folder import write_coco_folder
from vitdet.datasets.formats.recognise import read_folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clean_folder(tmp_path_factory.mktemp("clean") / "data")


def test_a_clean_folder_is_clean(clean: Path) -> None:
    assert serious(check(clean)) == set()


def test_every_kind_is_planted() -> None:
    assert {one.kind for one in PLANTED} == set(FAULTS)


@pytest.mark.parametrize(
    "planted", [pytest.param(one, id=f"{i} {one.kind}") for i, one in enumerate(PLANTED)]
)
def test_found_and_mended(planted: Planted, clean: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(clean, root)
    content = read_json(root)
    planted.plant(root, content)
    write_json(root, content)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    found = check(root)

    findings = of_kind(found, planted.kind)
    places = [(one.file, one.id) for finding in findings for one in finding.examples]
    assert (planted.file, planted.id) in places
    assert all(one.severity == FAULTS[planted.kind].severity for one in findings)

    write_coco_folder(mend(found), tmp_path / "mended")
    again = check(tmp_path / "mended")
    assert not again.has_errors, again.findings
    assert read_folder(tmp_path / "mended").format == "COCO"
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_wrong_image_size_costs_no_label(clean: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(clean, root)
    content = read_json(root)
    content["images"][0].update(width=WIDTH // 2, height=HEIGHT // 3)
    write_json(root, content)
    found = check(root)
    assert serious(found) == {"image size differs from the file"}
    assert mend(found).splits["train"].coco["annotations"] == content["annotations"]


@pytest.mark.parametrize("factor", [2, 0.5])
@pytest.mark.parametrize("reading", ["pixels", "brief"])
def test_labels_follow_images_that_were_resized(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float, reading: str
) -> None:
    monkeypatch.setattr(check_files, "_MAX_WHOLE", 1)
    monkeypatch.setattr(check_files, "_MAX_HEADS", 2)  # one odd head makes all be read
    root = tmp_path / "data"
    shutil.copytree(clean, root)
    for path in (root / "images/train").iterdir():
        picture = Image.open(path)
        picture.resize((int(WIDTH * factor), int(HEIGHT * factor))).save(path)
    found = DataCheck(read_folder(root), reading=reading)
    (finding,) = (one for one in found.findings if one.severity == "error")
    assert finding.kind == "image resized after it was labelled" and finding.count == 4
    annotations = read_json(root)["annotations"]
    mended = mend(found).splits["train"].coco
    assert {image["width"] for image in mended["images"]} == {int(WIDTH * factor)}
    for before, after in zip(annotations, mended["annotations"], strict=True):
        np.testing.assert_allclose(after["bbox"], np.multiply(before["bbox"], factor))
        assert after["area"] == before["area"] * factor**2
