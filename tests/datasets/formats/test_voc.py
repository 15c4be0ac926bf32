from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.formats.samples import Scene, Thing, voc_text, write_images, write_voc
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError

SCENE = Scene("a", (40, 30), [Thing("cat", (3, 4, 20, 25)), Thing("dog", (10, 5, 40, 30))])


def xml(*objects: str, size: str = "<size><width>40</width><height>30</height></size>") -> str:
    return f"<annotation><filename>a.png</filename>{size}{''.join(objects)}</annotation>"


def obj(box: tuple = (4, 5, 20, 25), name: str = "cat", rest: str = "") -> str:
    corners = "".join(
        f"<{key}>{value}</{key}>"
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=False)
    )
    return f"<object><name>{name}</name><bndbox>{corners}</bndbox>{rest}</object>"


def folder_of(root: Path, content: str | bytes) -> Path:
    """A folder with the image and label file `a`, and a good one beside."""
    write_voc(root, [Scene("good", (40, 30), [Thing("cat", (2, 2, 9, 9))])])
    write_images(root / "JPEGImages", [SCENE])
    content = content if isinstance(content, bytes) else content.encode()
    (root / "Annotations" / "a.xml").write_bytes(content)
    return root


def read_one(root: Path, content: str | bytes):
    """Image entry and annotations of `a.png`, and the notes."""
    folder = read_folder(folder_of(root, content))
    coco = folder.splits["all"].coco
    entry = next(e for e in coco["images"] if e["file_name"] == "a.png")
    return entry, [a for a in coco["annotations"] if a["image_id"] == entry["id"]], folder.notes


def test_coordinates_count_from_one_and_include_the_last_pixel(tmp_path):
    # as in VOC: a box over the whole image is 1, 1, width, height
    _, (ann,), notes = read_one(tmp_path, xml(obj((1, 1, 40, 30))))
    assert ann["bbox"] == [0, 0, 40, 30] and ann["area"] == 1200
    assert "2 boxes: corners counted from 1, the last pixel included, as VOC does" in notes


def test_a_coordinate_of_zero_shows_that_they_count_from_zero(tmp_path):
    _, annotations, notes = read_one(tmp_path, xml(obj((0, 3, 40, 30)), obj((5, 6, 10, 12))))
    assert [a["bbox"] for a in annotations] == [[0, 3, 40, 27], [5, 6, 5, 6]]
    assert "3 boxes: corners counted from 0, as coordinates of 0 show" in notes


def test_flags_are_kept(tmp_path):
    rest = "<difficult>1</difficult><truncated>1</truncated><occluded>0</occluded><pose>Left</pose>"
    parts = "<part><name>head</name></part><part><name>hand</name></part>"
    _, (ann, plain), notes = read_one(tmp_path, xml(obj(rest=rest + parts), obj()))
    assert ann["ignore"] == 1 and ann["iscrowd"] == 0
    assert ann["attributes"] == {"difficult": True, "truncated": True, "pose": "Left"}
    assert "ignore" not in plain and "attributes" not in plain
    assert any(note.startswith("1 objects marked difficult") for note in notes)
    assert "2 parts of objects, such as heads and hands: left out" in notes


def test_turned_boxes_and_polygons(tmp_path):
    turned = (
        "<object><name>ship</name><robndbox><cx>20</cx><cy>15</cy><w>10</w><h>4</h>"
        f"<angle>{np.pi / 2}</angle></robndbox></object>"
    )
    corners = "".join(
        f"<x{k}>{x}</x{k}><y{k}>{y}</y{k}>"
        for k, (x, y) in enumerate([(4, 5), (20, 5), (4, 25)], 1)
    )
    outlined = obj(rest=f"<polygon>{corners}</polygon>")
    _, (ship, cat), notes = read_one(tmp_path, xml(turned, outlined))
    np.testing.assert_allclose(ship["bbox"], [18, 10, 4, 10], atol=1e-9)
    assert ship["area"] == pytest.approx(40)
    assert cat["segmentation"] == [[4, 5, 20, 5, 4, 25]] and cat["area"] == 160
    assert cat["bbox"] == [4, 5, 16, 20]  # tools that write outlines count from 0
    assert any(note.startswith("1 turned boxes") for note in notes)


@pytest.mark.parametrize("size", ["", "<size><width>0</width><height>0</height></size>", "<size/>"])
def test_a_missing_size_is_read_from_the_image(tmp_path, size):
    entry, _, _ = read_one(tmp_path, xml(obj(), size=size))
    assert (entry["width"], entry["height"]) == (40, 30)


FAULTS = {
    "broken off": (xml(obj())[:-30], "is not XML: unclosed token"),
    "empty": ("", "is empty"),
    "white": ("\r\n  ", "is empty"),
    "binary": (b"\0\1\2\3", "is not XML"),
    "no bndbox": (xml("<object><name>cat</name></object>"), "object 1 (cat) has no bndbox"),
    "no name": (xml(obj(), obj(name="")), "object 2 has no name"),
    "no number": (
        xml(obj((1, 2, "three", 4))),
        "bndbox/xmax of object 1 (cat) is 'three', not a number",
    ),
    "a corner less": (
        xml("<object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object>"),
        "bndbox/ymin of object 1 (cat) is '', not a number",
    ),
    "endless width": (
        xml(size="<size><width>inf</width><height>3</height></size>"),
        "size/width is inf",
    ),
    "entities": (
        '<!DOCTYPE a [<!ENTITY x "boo">]>' + xml(obj(name="&x;")),
        "has a DOCTYPE, which label files have no use for: remove it",
    ),
    "entities in UTF-16": (
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + xml()).encode("utf-16"),
        "has a DOCTYPE, which label files have no use for: remove it",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_broken_file_of_many_is_recorded(tmp_path, fault):
    content, why = FAULTS[fault]
    entry, annotations, _ = read_one(tmp_path, content)
    assert why in entry["problem"] and "\n" not in entry["problem"]
    assert entry["label_file"] == "Annotations/a.xml" and annotations == []
    coco = read_folder(tmp_path).splits["all"].coco
    assert len(coco["annotations"]) == 1  # of the good file


ENCODINGS = {
    "byte-order mark": "\ufeff" + xml(obj(name="Käse")),
    "Windows line ends": xml(obj(name="Käse")).replace("><", ">\r\n<"),
    "latin-1, said": ('<?xml version="1.0" encoding="iso-8859-1"?>' + xml(obj(name="Käse"))).encode(
        "latin-1"
    ),
    "latin-1, not said": xml(obj(name="Käse")).encode("latin-1"),
    "UTF-16": ('<?xml version="1.0" encoding="utf-16"?>' + xml(obj(name="Käse"))).encode("utf-16"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(tmp_path, encoding):
    folder = read_folder(folder_of(tmp_path, ENCODINGS[encoding]))
    coco = folder.splits["all"].coco
    assert [category["name"] for category in coco["categories"]] == ["Käse", "cat"]
    assert not any("problem" in e for e in coco["images"])


def test_numbers_that_are_wrong_are_left_to_the_check(tmp_path):
    _, annotations, _ = read_one(tmp_path, xml(obj((30, 5, 10, 900)), obj(("nan", 2, 3, 4))))
    assert annotations[0]["bbox"] == [29, 4, -19, 896]
    assert np.isnan(annotations[1]["bbox"][0])


class TestImageNames:
    def test_a_copied_label_file_is_of_the_image_of_its_own_name(self, tmp_path):
        write_images(tmp_path / "JPEGImages", [Scene("old", (10, 10))])
        entry, annotations, _ = read_one(tmp_path, xml(obj()).replace("a.png", "old.png"))
        assert entry["label_file"] == "Annotations/a.xml" and len(annotations) == 1

    @pytest.mark.parametrize("text", ["b.png", "C:\\Users\\me\\b.png", "../b.png", "B.PNG"])
    def test_else_of_the_one_that_it_names(self, tmp_path, text):
        write_images(tmp_path / "pictures", [Scene("b", (40, 30))])
        (tmp_path / "label7.xml").write_text(xml(obj()).replace("a.png", text))
        split = read_folder(tmp_path).splits["all"]
        (entry,) = split.coco["images"]
        assert entry["file_name"] == "b.png" and split.image_root == tmp_path / "pictures"

    def test_a_missing_image_keeps_its_labels(self, tmp_path):
        folder = folder_of(tmp_path, xml(obj()))
        (folder / "JPEGImages/a.png").unlink()
        coco = read_folder(folder).splits["all"].coco
        assert "a.png" in [e["file_name"] for e in coco["images"]]
        assert len(coco["annotations"]) == 2

    @pytest.mark.parametrize("text", ["/etc/secret.png", "../../secret.png", "D:\\secret.png"])
    def test_names_that_lead_out_of_the_folder_are_not_followed(self, tmp_path, text):
        Image.new("RGB", (3, 3)).save(tmp_path / "secret.png")
        folder = folder_of(tmp_path / "data", xml(obj()).replace("a.png", text))
        (folder / "JPEGImages/a.png").unlink()
        coco = read_folder(folder).splits["all"].coco
        (entry,) = [e for e in coco["images"] if "problem" in e]
        assert "outside of the data folder: put the image there" in entry["problem"]
        assert ".." not in entry["file_name"] and not entry["file_name"].startswith("/")

    def test_images_that_nobody_labelled(self, tmp_path):
        folder = folder_of(tmp_path, xml(obj()))
        write_images(folder / "JPEGImages", [Scene("bare", (5, 5))])
        write_images(folder / "drawings", [Scene("of something else", (5, 5))])
        data = read_folder(folder)
        bare = [e for e in data.splits["all"].coco["images"] if "label_file" not in e]
        assert [e["file_name"] for e in bare] == ["bare.png"]
        assert "1 images without a label file: taken as images without objects" in data.notes

    def test_two_label_files_of_one_image(self, tmp_path):
        folder = folder_of(tmp_path, xml(obj()))
        (folder / "old").mkdir()
        (folder / "old/a.xml").write_text(xml(obj()))
        with pytest.raises(UserError, match=r"a.png has Annotations/a.xml and old/a.xml; leave"):
            read_folder(folder)


class TestImageSets:
    @pytest.fixture
    def folder(self, tmp_path):
        root = tmp_path / "VOCdevkit" / "VOC2007"
        root.mkdir(parents=True)
        scenes = [Scene(f"{k:06}", (40, 30), list(SCENE.things)) for k in range(6)]
        write_voc(root, scenes)
        (root / "ImageSets/Main").mkdir(parents=True)
        return root

    def lists(self, folder, **names):
        for name, lines in names.items():
            (folder / "ImageSets/Main" / f"{name}.txt").write_text("\r\n".join(lines))

    def names(self, folder):
        splits = read_folder(folder.parent.parent).splits
        return {k: [e["file_name"][:-4] for e in s.coco["images"]] for k, s in splits.items()}

    def test_lists_are_splits(self, folder):
        self.lists(
            folder,
            train=["000000", "000002"],
            val=["000003"],
            trainval=["000000", "000002", "000003"],
            test=["000005 ", ""],
            cat_train=["000000 -1", "000004  1"],
        )
        assert self.names(folder) == {
            "train": ["000000", "000002"],
            "val": ["000003"],
            "test": ["000005"],
        }
        notes = read_folder(folder).notes
        assert "2 images that no list in ImageSets/Main names: left out" in notes

    def test_trainval_alone_is_for_training(self, folder):
        self.lists(folder, trainval=["000000", "000001"], test=["000002"])
        assert self.names(folder) == {"train": ["000000", "000001"], "test": ["000002"]}

    def test_a_list_that_is_no_text(self, folder):
        (folder / "ImageSets/Main/train.txt").write_bytes(b"\0\0\0")
        with pytest.raises(UserError, match=r"Main/train.txt is not text"):
            self.names(folder)


def test_a_single_file(tmp_path):
    write_images(tmp_path, [SCENE])
    (tmp_path / "a.xml").write_text(voc_text(SCENE))
    coco = read_folder(tmp_path / "a.xml").splits["all"].coco
    assert len(coco["images"]) == 1 and len(coco["annotations"]) == 2
