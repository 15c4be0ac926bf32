"""Any format in, a COCO folder out, which reads back as the same objects."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.formats.samples import (
    WRITERS,
    Scene,
    Thing,
    random_scenes,
    write_coco,
    write_yolo,
)
from vitdet.cli import main
from vitdet.datasets.coco_check import check_coco
from vitdet.datasets.formats.convert import convert
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_becomes_coco_that_trains(tmp_path, name):
    source, target = tmp_path / "in", tmp_path / "out"
    scenes = {"train": random_scenes(0, count=3), "val": random_scenes(1, count=2)}
    for split, some in scenes.items():
        (source / split).mkdir(parents=True)
        WRITERS[name](source / split, some)
    before = snapshot(source)
    conversion = convert(source, target)
    assert snapshot(source) == before
    assert conversion.files == {
        target / f"{split}.json": (len(some), sum(len(scene.things) for scene in some))
        for split, some in scenes.items()
    }
    written = read_folder(target)
    assert written.format == "COCO" and list(written.splits) == ["train", "val"]
    for split, some in scenes.items():
        ann_file = written.splits[split].source
        summary = check_coco(ann_file, written.splits[split].image_root)
        assert summary.num_images == len(some) and summary.num_unusable == 0
        content = json.loads(ann_file.read_text())
        boxes = [ann["bbox"] for ann in content["annotations"]]
        expected = [t.box for scene in some for t in scene.things]
        expected = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in expected]
        np.testing.assert_allclose(boxes, expected, atol=1e-9)
        assert not any("label_file" in entry for entry in content["images"])


@pytest.mark.parametrize("seed", range(5))
def test_coco_to_coco_loses_nothing(tmp_path, seed):
    (tmp_path / "in").mkdir()
    write_coco(tmp_path / "in", random_scenes(seed))
    file = tmp_path / "in/instances.json"
    content = json.loads(file.read_text())
    content["info"], content["licenses"] = {"year": 2026}, [{"id": 1, "name": "free"}]
    content["annotations"][0] |= {
        "iscrowd": 1,
        "segmentation": {"size": [3, 4], "counts": [2, 3, 7]},
        "attributes": {"wet": True},
        "keypoints": [1, 2, 2],
    }
    content["annotations"][-1]["bbox"] = [-5, 0, 0, 900.25]  # faults are the check's affair
    content["categories"][0] |= {"supercategory": "beast", "keypoints": ["nose"]}
    content["images"][0] |= {"date_captured": "2026-11-21", "coco_url": "http://example.org/1"}
    file.write_text(json.dumps(content))
    convert(tmp_path / "in", tmp_path / "out")
    assert json.loads((tmp_path / "out/train.json").read_text()) == content
    convert(tmp_path / "out", tmp_path / "again")
    assert (tmp_path / "out/train.json").read_bytes() == (
        tmp_path / "again/train.json"
    ).read_bytes()


def test_images_are_links_or_copies(tmp_path):
    (tmp_path / "in").mkdir()
    write_yolo(tmp_path / "in", random_scenes(0))
    image = tmp_path / "in/images/photo 0.png"
    convert(tmp_path / "in", tmp_path / "linked")
    convert(tmp_path / "in", tmp_path / "copied", copy_images=True)
    assert (tmp_path / "linked/images/train/photo 0.png").samefile(image)
    copy = tmp_path / "copied/images/train/photo 0.png"
    assert not copy.samefile(image) and copy.read_bytes() == image.read_bytes()


def test_a_disk_without_links_gets_copies(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("links are not supported")

    (tmp_path / "in").mkdir()
    write_yolo(tmp_path / "in", random_scenes(0))
    monkeypatch.setattr(os, "link", refuse)
    convert(tmp_path / "in", tmp_path / "out")
    assert len(list((tmp_path / "out/images/train").iterdir())) == 4


def test_what_is_left_out_is_told(tmp_path):
    scenes = [Scene(str(k), (20, 20), [Thing("cat", (1, 1, 9, 9))]) for k in range(4)]
    (tmp_path / "in").mkdir()
    write_yolo(tmp_path / "in", scenes)
    (tmp_path / "in/labels/1.txt").write_text("0 1 2")
    (tmp_path / "in/labels/2.txt").write_text("0 nan .5 .5 .5\n0 .5 .5 .5 .5")
    (tmp_path / "in/labels/lost.txt").write_text("0 .5 .5 .5 .5")
    conversion = convert(tmp_path / "in", tmp_path / "out")
    content = json.loads((tmp_path / "out/train.json").read_text(), parse_constant=pytest.fail)
    assert [e["file_name"] for e in content["images"]] == ["0.png", "2.png", "3.png"]
    assert len(content["annotations"]) == 3
    assert not (tmp_path / "out/images/train/1.png").exists()
    notes = "\n".join(conversion.notes)
    assert "2 images left out, whose labels cannot be read: labels/1.txt line 1 has 3 col" in notes
    assert "1 annotations left out of train.json: numbers that are not finite" in notes


def test_missing_images_are_told(tmp_path):
    (tmp_path / "in").mkdir()
    write_coco(tmp_path / "in", random_scenes(0))
    (tmp_path / "in/images/photo 2.png").unlink()
    conversion = convert(tmp_path / "in", tmp_path / "out")
    assert conversion.notes == ["1 images of all are missing: photo 2.png"]
    assert len(json.loads((tmp_path / "out/train.json").read_text())["images"]) == 4


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/secret.png", "C:\\secret.png", "", None, 5]
)
def test_no_file_name_leads_out_of_the_target(tmp_path, name):
    (tmp_path / "in").mkdir()
    write_coco(tmp_path / "in", random_scenes(0))
    (tmp_path / "in/secret.png").write_bytes(b"x")
    file = tmp_path / "in/instances.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = name
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"instances.json has an image with file_name"):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


class TestTarget:
    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "in").mkdir()
        write_yolo(tmp_path / "in", random_scenes(0))
        return tmp_path / "in"

    def test_an_empty_folder_is_filled(self, source, tmp_path):
        (tmp_path / "out").mkdir()
        assert convert(source, tmp_path / "out").files

    @pytest.mark.parametrize("kind", ["file", "full folder"])
    def test_what_is_there_is_left_alone(self, source, tmp_path, kind):
        target = tmp_path / "out"
        if kind == "file":
            target.write_text("mine")
        else:
            target.mkdir()
            (target / "mine.txt").write_text("mine")
        before = snapshot(tmp_path)
        with pytest.raises(UserError, match=r"out is there already: name a new folder"):
            convert(source, target)
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("inside", ["", "coco"])
    def test_the_source_gets_nothing(self, source, inside):
        before = snapshot(source)
        with pytest.raises(UserError, match=r"is there already|lies in"):
            convert(source, source / inside)
        assert snapshot(source) == before


def test_the_command(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    write_yolo(tmp_path / "in", random_scenes(0))
    (tmp_path / "in/classes.txt").unlink()
    main(["convert-data", str(tmp_path / "in"), str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert "in is in YOLO format" in out
    assert "train.json: 4 images" in out
    assert "note: " in out and "classes without names" in out
    with pytest.raises(SystemExit) as stopped:
        main(["convert-data", str(tmp_path / "in"), str(tmp_path / "out")])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("vitdet convert-data: error: ") and error.count("\n") == 1
