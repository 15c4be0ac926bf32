from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.datasets.formats.samples import Scene, write_images
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError

SIZE = (40, 30)
META = (
    "<meta><job><labels><label><name>dog</name></label><label><name>cat</name></label></labels>"
    "</job></meta>"
)
GOOD = (
    '<image id="7" name="good.png" width="40" height="30">'
    '<box label="cat" xtl="1" ytl="2" xbr="5" ybr="9"/></image>'
)


def write(
    root: Path, shapes: str, *, name: str = "a.png", rest: str = "", subset: str = ""
) -> Path:
    write_images(root, [Scene("a", SIZE), Scene("good", SIZE)])
    image = f'<image id="0" name="{name}" subset="{subset}" width="40" height="30">{shapes}</image>'
    (root / "annotations.xml").write_text(f"<annotations>{META}{image}{GOOD}{rest}</annotations>")
    return root


def read_one(root: Path, shapes: str):
    data = read_folder(write(root, shapes))
    assert data.format == "CVAT"
    coco = data.splits["all"].coco
    return coco["images"][0], [a for a in coco["annotations"] if a["image_id"] == 1], data.notes


def test_boxes_polygons_and_attributes(tmp_path):
    _, (box, polygon), _ = read_one(
        tmp_path,
        '<box label="cat" occluded="1" xtl="1.5" ytl="2" xbr="11.5" ybr="12" z_order="0">'
        '<attribute name="age">3</attribute></box>'
        '<polygon label="dog" occluded="0" points="0.0,0.0;10,0;10,10"/>',
    )
    assert box["bbox"] == [1.5, 2, 10, 10] and "segmentation" not in box
    assert box["attributes"] == {"age": "3", "occluded": True}
    assert polygon["segmentation"] == [[0, 0, 10, 0, 10, 10]] and polygon["area"] == 50
    # categories in the order of the task's labels
    assert (box["category_id"], polygon["category_id"]) == (2, 1)


def test_turned_boxes_and_ellipses(tmp_path):
    _, (box, ellipse), notes = read_one(
        tmp_path,
        '<box label="cat" xtl="10" ytl="10" xbr="20" ybr="14" rotation="90"/>'
        '<ellipse label="cat" cx="20" cy="15" rx="5" ry="10" rotation="90"/>',
    )
    np.testing.assert_allclose(box["bbox"], [13, 7, 4, 10], atol=1e-9)
    assert box["area"] == pytest.approx(40)
    np.testing.assert_allclose(ellipse["bbox"], [10, 10, 20, 10], atol=0.05)
    assert ellipse["area"] == pytest.approx(np.pi * 50, rel=0.003)
    assert len(notes) == 2


def test_a_box_is_turned_clockwise_on_the_screen(tmp_path):
    _, (box,), _ = read_one(
        tmp_path, '<box label="cat" xtl="10" ytl="10" xbr="20" ybr="10" rotation="30"/>'
    )
    corners = np.reshape(box["segmentation"][0], (-1, 2))
    right = corners[corners[:, 0].argmax()]
    assert right[1] > 10  # y points down: its right end sinks


def test_masks(tmp_path):
    bitmap = np.random.default_rng(0).random((5, 7)) > 0.4
    bitmap[0, 0] = True
    changes = np.flatnonzero(np.diff(np.concatenate([[False], bitmap.ravel()])))
    runs = np.diff(np.concatenate([[0], changes, [bitmap.size]]))
    _, (ann,), _ = read_one(
        tmp_path,
        f'<mask label="cat" rle="{", ".join(map(str, runs))}" left="30" top="20" width="7" '
        'height="5"/>',
    )
    whole = np.zeros(SIZE[::-1], dtype=np.uint8)
    whole[20:25, 30:37] = bitmap
    np.testing.assert_array_equal(coco_mask.decode(ann["segmentation"]), whole)
    assert ann["area"] == bitmap.sum()


def test_shapes_of_one_group_are_one_object(tmp_path):
    polygon = '<polygon label="cat" points="{}" group_id="{}"/>'
    _, annotations, _ = read_one(
        tmp_path,
        polygon.format("0,0;4,0;4,4", 1)
        + polygon.format("10,10;14,10;14,14", 1)
        + polygon.format("0,0;4,0;4,4", 0) * 2,
    )
    assert [len(a["segmentation"]) for a in annotations] == [2, 1, 1]
    assert annotations[0]["bbox"] == [0, 0, 14, 14] and annotations[0]["area"] == 16


def test_what_coco_cannot_hold_is_told(tmp_path):
    shapes = '<polyline label="cat" points="1,1;2,2"/><points label="cat"/><tag label="cat"/>'
    data = read_folder(write(tmp_path, shapes, rest='<track id="0" label="cat"/>'))
    assert {note.partition(":")[0] for note in data.notes} == {
        "1 polylines",
        "1 points",
        "1 tags of whole images",
        "1 tracks of a video",
    }


def test_subsets_are_splits(tmp_path):
    data = read_folder(write(tmp_path, "", subset="Validation"))
    names = {k: [e["file_name"] for e in s.coco["images"]] for k, s in data.splits.items()}
    assert names == {"val": ["a.png"], "train": ["good.png"]}


FAULTS = {
    '<box label="cat" xtl="1" ytl="2" xbr="x" ybr="3"/>': "xbr of a box is 'x', not a number",
    '<box label="cat" xtl="1" ytl="2" xbr="3"/>': "ybr of a box is 'None', not a number",
    '<box xtl="1" ytl="2" xbr="3" ybr="4"/>': "has a box without label",
    '<polygon label="cat" points="1,2;3,4"/>': "no list of 3 or more points",
    '<polygon label="cat" points="1,2;3,4;5"/>': "no list of 3 or more points",
    '<polygon label="cat"/>': "no list of 3 or more points",
    '<ellipse label="cat" cx="1" cy="2" rx="3" ry="4" rotation="inf"/>': "turned by inf degrees",
    '<mask label="cat" rle="1,2" left="0" top="0" width="2" height="2"/>': "do not fill its 2x2",
    '<mask label="cat" rle="5,-1" left="0" top="0" width="2" height="2"/>': "do not fill its 2x2",
    '<mask label="cat" rle="4" left="0" top="0" width="99999" height="99999"/>': "a mask of 99999x",
    '<mask label="cat" rle="4" left="nan" top="0" width="2" height="2"/>': "left of a mask is nan",
    '<sphere label="cat"/>': "has a <sphere>, which is not known here",
}


@pytest.mark.parametrize("shapes", FAULTS)
def test_one_broken_image_of_many_is_recorded(tmp_path, shapes):
    entry, annotations, _ = read_one(tmp_path, shapes)
    assert FAULTS[shapes] in entry["problem"] and "\n" not in entry["problem"]
    assert not annotations
    assert len(read_folder(tmp_path).splits["all"].coco["annotations"]) == 1


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/secret.png", "C:\\secret.png"])
def test_names_that_lead_out_of_the_folder(tmp_path, name):
    entry = read_folder(write(tmp_path, "", name=name)).splits["all"].coco["images"][0]
    assert entry["problem"] == "lies outside of the data folder: put the image there"
    assert not entry["file_name"].startswith(("/", "..", "C:"))


class TestTheWholeFile:
    def test_broken_off(self, tmp_path):
        file = write(tmp_path, "") / "annotations.xml"
        file.write_text(file.read_text()[:-9])
        with pytest.raises(UserError, match=r"annotations.xml is not XML: .* line 1, column"):
            read_folder(tmp_path)

    def test_entities(self, tmp_path):
        file = write(tmp_path, "") / "annotations.xml"
        bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
        file.write_text(bomb + file.read_text())
        with pytest.raises(UserError, match=r"annotations.xml has a DOCTYPE"):
            read_folder(tmp_path)

    def test_video(self, tmp_path):
        (tmp_path / "a.xml").write_text('<annotations><track id="0" label="cat"/></annotations>')
        with pytest.raises(UserError, match=r"tracks of a video: export it as .CVAT for images"):
            read_folder(tmp_path)
