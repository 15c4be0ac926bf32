"""Every format is recognised by itself, by one reader only, and gives what was written."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.formats.samples import CLASSES, WRITERS, Scene, random_scenes
from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.recognise import FORMATS, read_folder
from vitdet.errors import UserError


def things_of(folder: DataFolder, split: str = "all") -> dict[str, list[tuple]]:
    """File name -> (class, corners, polygon) of its objects, in order of the file."""
    coco = folder.splits[split].coco
    names = {category["id"]: category["name"] for category in coco["categories"]}
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    things: dict[str, list[tuple]] = {file: [] for file in files.values()}
    for ann in coco["annotations"]:
        x, y, w, h = ann["bbox"]
        things[files[ann["image_id"]]].append(
            (names[ann["category_id"]], (x, y, x + w, y + h), ann.get("segmentation"))
        )
    return things


def assert_same(folder: DataFolder, scenes: list[Scene]) -> None:
    things = things_of(folder)
    assert set(things) == {f"{scene.name}.png" for scene in scenes}
    sizes = {e["file_name"]: (e["width"], e["height"]) for e in folder.splits["all"].coco["images"]}
    for scene in scenes:
        found = things[f"{scene.name}.png"]
        assert sizes[f"{scene.name}.png"] == scene.size
        assert [label for label, _, _ in found] == [thing.label for thing in scene.things]
        boxes = [box for _, box, _ in found]
        np.testing.assert_allclose(boxes, [thing.box for thing in scene.things], atol=1e-9)
        for (_, _, outline), thing in zip(found, scene.things, strict=True):
            if thing.polygon:
                np.testing.assert_allclose(outline, [thing.polygon], atol=1e-9)


@pytest.mark.parametrize(
    "name, polygons",
    [*((name, False) for name in WRITERS), *((n, True) for n in WRITERS if n != "Pascal VOC")],
)
def test_every_format_gives_the_scenes_that_were_written(tmp_path, name, polygons):
    for seed in range(5):
        scenes = random_scenes(seed, polygons=polygons)
        root = tmp_path / str(seed)
        root.mkdir()
        WRITERS[name](root, scenes)
        folder = read_folder(root)
        assert folder.format == name.removesuffix(" csv")
        assert_same(folder, scenes)
        for split in folder.splits.values():
            for entry in split.coco["images"]:
                assert (split.image_root / entry["file_name"]).is_file()
                assert "problem" not in entry


@pytest.mark.parametrize("name", WRITERS)
def test_one_reader_only_answers(tmp_path, name):
    WRITERS[name](tmp_path, random_scenes(0, polygons=name != "Pascal VOC"))
    tree = FolderTree(tmp_path)
    assert [key for key, form in FORMATS.items() if form.evidence(tree)] == [
        name.removesuffix(" csv")
    ]


@pytest.mark.parametrize("one", WRITERS)
@pytest.mark.parametrize("two", WRITERS)
def test_two_formats_in_one_folder_are_refused_by_name(tmp_path, one, two):
    if one.removesuffix(" csv") == two.removesuffix(" csv"):
        return
    WRITERS[one](tmp_path, random_scenes(0))
    WRITERS[two](tmp_path, random_scenes(0))
    with pytest.raises(UserError, match="several formats") as raised:
        read_folder(tmp_path)
    for name in (one, two):
        assert f"{name.removesuffix(' csv')} (" in str(raised.value)


SINGLE_FILES = {
    "COCO": "instances.json",
    "VIA": "via_region_data.json",
    "VIA csv": "via.csv",
    "CVAT": "annotations.xml",
}


@pytest.mark.parametrize("name", SINGLE_FILES)
def test_a_single_file_beside_its_images(tmp_path, name):
    scenes = random_scenes(1)
    WRITERS[name](tmp_path, scenes)
    folder = read_folder(tmp_path / SINGLE_FILES[name])
    assert folder.splits["all"].source == tmp_path / SINGLE_FILES[name]
    assert_same(folder, scenes)


@pytest.mark.parametrize("name", SINGLE_FILES)
def test_a_single_file_in_a_folder_beside_that_of_its_images(tmp_path, name):
    scenes = random_scenes(1)
    (tmp_path / "data").mkdir()
    WRITERS[name](tmp_path / "data", scenes)
    images = tmp_path / "data" / "images"
    images.mkdir(exist_ok=True)
    for path in list((tmp_path / "data").rglob("*.png")):
        path.rename(images / path.name)
    (tmp_path / "data" / "annotations").mkdir()
    file = tmp_path / "data" / "annotations" / SINGLE_FILES[name]
    (tmp_path / "data" / SINGLE_FILES[name]).rename(file)
    assert_same(read_folder(file), scenes)


@pytest.mark.parametrize("name, folder", [("Pascal VOC", "Annotations"), ("YOLO", "labels")])
def test_the_right_one_of_two_may_be_given_as_folder(tmp_path, name, folder):
    scenes = random_scenes(2)
    WRITERS[name](tmp_path, scenes)
    (tmp_path / "instances.json").write_text(
        json.dumps({"images": [], "annotations": [], "categories": []})
    )
    with pytest.raises(UserError, match="several formats"):
        read_folder(tmp_path)
    assert_same(read_folder(tmp_path / folder), scenes)


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match=r"data folder not found: .*nowhere"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("5 apples")
    (tmp_path / "settings.json").write_text('{"size": 3}')
    (tmp_path / "pom.xml").write_text("<project/>")
    with pytest.raises(UserError) as raised:
        read_folder(tmp_path)
    for word in ("COCO json", "VOC", "YOLO", "LabelMe", "VIA", "CVAT", "notes.txt"):
        assert word in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"settings.json is of no format known here"):
        read_folder(tmp_path / "settings.json")


def test_split_file_chooses_the_validation_images(tmp_path):
    scenes = random_scenes(3)
    (tmp_path / "d").mkdir()
    WRITERS["LabelMe"](tmp_path / "d", scenes)
    (tmp_path / "val.txt").write_text("photo 1\nC:\\data\\photo 2.png\n\n")
    folder = read_folder(tmp_path / "d", split_file=tmp_path / "val.txt")
    assert set(things_of(folder, "val")) == {"photo 1.png", "photo 2.png"}
    assert set(things_of(folder, "train")) == {"photo 0.png", "photo 3.png"}
    for split, numbers in (("train", (0, 3)), ("val", (1, 2))):
        expected = {f"photo {k}.png": len(scenes[k].things) for k in numbers}
        assert {name: len(t) for name, t in things_of(folder, split).items()} == expected
    (tmp_path / "val.txt").write_text("photo 9")
    with pytest.raises(UserError, match=r"val.txt names no image, or several, .*: photo 9"):
        read_folder(tmp_path / "d", split_file=tmp_path / "val.txt")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "train, val", [("train", "val"), ("Train", "valid"), ("train2017", "val2017")]
)
def test_folders_are_splits(tmp_path, name, train, val):
    parts = {train: random_scenes(4), val: random_scenes(5)}
    for folder, scenes in parts.items():
        (tmp_path / folder).mkdir()
        WRITERS[name](tmp_path / folder, scenes)
    folder = read_folder(tmp_path)
    assert list(folder.splits) == ["train", "val"]
    for split, scenes in zip(("train", "val"), parts.values(), strict=True):
        found = things_of(folder, split)
        assert {k: len(v) for k, v in found.items()} == {
            f"{scene.name}.png": len(scene.things) for scene in scenes
        }
        coco = folder.splits[split].coco
        assert {c["name"] for c in coco["categories"]} == set(CLASSES)
        root = folder.splits[split].image_root
        assert all((root / e["file_name"]).is_file() for e in coco["images"])


class TestRealPhotos:
    def test_raccoon(self, shared_data: Path):
        folder = read_folder(shared_data / "raccoon")
        assert folder.format == "Pascal VOC"
        coco = folder.splits["all"].coco
        assert (len(coco["images"]), len(coco["annotations"])) == (200, 217)
        assert [category["name"] for category in coco["categories"]] == ["raccoon"]
        assert not any("problem" in entry for entry in coco["images"])
        # the same boxes stand in a table beside
        rows = (shared_data / "raccoon/data/raccoon_labels.csv").read_text().splitlines()[1:]
        table = sorted((r[0], *map(int, r[4:])) for r in (row.split(",") for row in rows))
        files = {entry["id"]: entry["file_name"] for entry in coco["images"]}
        found = sorted(
            (files[a["image_id"]], x + 1, y + 1, x + w, y + h)
            for a in coco["annotations"]
            for x, y, w, h in [a["bbox"]]
        )
        assert found == table

    def test_yolo_boxes_are_those_of_coco(self, shared_data: Path):
        root = shared_data / "coco128_train"
        with pytest.raises(UserError, match=r"COCO \(annotations/instances.json\) and YOLO"):
            read_folder(root)
        yolo = read_folder(root / "yolo_labels").splits["all"].coco
        coco = read_folder(root / "annotations/instances.json").splits["all"].coco
        numbers = sorted(category["id"] for category in coco["categories"])
        expected, found = {}, {}
        for boxes, content in ((expected, coco), (found, yolo)):
            files = {entry["id"]: entry["file_name"] for entry in content["images"]}
            for ann in content["annotations"]:
                if not ann["iscrowd"]:
                    key = (
                        ann["category_id"]
                        if content is yolo
                        else (numbers.index(ann["category_id"]) + 1)
                    )
                    boxes.setdefault((files[ann["image_id"]], key), []).append(ann["bbox"])
        shared = set(expected) & set(found)
        assert len(shared) >= 0.95 * len(found) > 300
        for key in shared:
            if len(expected[key]) == len(found[key]):
                boxes = [
                    sorted(b, key=lambda box: np.round(box).tolist())
                    for b in (found[key], expected[key])
                ]
                np.testing.assert_allclose(*boxes, atol=0.02)
        # two label files are of images that are not there
        problems = [e["problem"] for e in yolo["images"] if "problem" in e]
        assert problems == ["has no image of its name"] * 2

    def test_fruits_nuts(self, shared_data: Path):
        folder = read_folder(shared_data / "fruits_nuts")
        assert folder.format == "COCO" and not folder.notes
        assert {k: len(s.coco["images"]) for k, s in folder.splits.items()} == {
            "train": 15,
            "val": 3,
        }
