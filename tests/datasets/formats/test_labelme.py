import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.datasets.formats.samples import Scene, write_images
from vitdet.datasets.formats.recognise import read_folder

SIZE = (40, 30)


def shape(kind: str | None, points: list, label: str = "cat", **rest) -> dict:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **rest}


def content(*shapes, **rest) -> dict:
    return {
        "version": "5.5.0",
        "shapes": list(shapes),
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": SIZE[1],
        "imageWidth": SIZE[0],
        **rest,
    }


def folder_of(root: Path, what: dict | bytes) -> Path:
    write_images(root, [Scene("a", SIZE), Scene("good", SIZE)])
    good = content(shape("rectangle", [[1, 2], [5, 9]]), imagePath="good.png")
    (root / "good.json").write_text(json.dumps(good))
    (root / "a.json").write_bytes(what if isinstance(what, bytes) else json.dumps(what).encode())
    return root


def read_one(root: Path, what: dict | bytes):
    data = read_folder(folder_of(root, what))
    assert data.format == "LabelMe"
    coco = data.splits["all"].coco
    entry = next(e for e in coco["images"] if e["file_name"] == "a.png")
    return entry, [a for a in coco["annotations"] if a["image_id"] == entry["id"]], data.notes


def png(bitmap: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(bitmap).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_rectangles_and_polygons(tmp_path):
    _, annotations, _ = read_one(
        tmp_path,
        content(
            shape("rectangle", [[20, 25], [10, 5.5]]),
            shape("polygon", [[0, 0], [10, 0], [10, 10]], label="dog"),
            shape(None, [[0, 0], [10, 0], [10, 10]], label="dog"),  # of an old file
        ),
    )
    assert annotations[0]["bbox"] == [10, 5.5, 10, 19.5] and "segmentation" not in annotations[0]
    for ann in annotations[1:]:
        assert ann["segmentation"] == [[0, 0, 10, 0, 10, 10]] and ann["area"] == 50


def test_circles_become_polygons(tmp_path):
    _, (ann,), notes = read_one(tmp_path, content(shape("circle", [[20, 15], [20, 25]])))
    np.testing.assert_allclose(ann["bbox"], [10, 5, 20, 20], atol=0.03)
    assert ann["area"] == pytest.approx(np.pi * 100, rel=0.003)
    assert "1 circles: kept as polygons of 60 corners" in notes


def test_masks_lie_where_they_were_drawn(tmp_path):
    rng = np.random.default_rng(0)
    whole = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    part = (rng.random((8, 12)) > 0.5).astype(np.uint8) * 255
    part[0, 0] = part[-1, -1] = 255
    whole[4:12, 7:19] = part > 0
    mask = shape("mask", [[7.0, 4.0], [18.0, 11.0]], mask=png(part))
    _, (ann,), _ = read_one(tmp_path, content(mask))
    np.testing.assert_array_equal(coco_mask.decode(ann["segmentation"]), whole)
    assert ann["area"] == whole.sum() and ann["bbox"] == [7, 4, 12, 8]


def test_shapes_of_one_group_are_one_object(tmp_path):
    triangle = [[0, 0], [4, 0], [4, 4]]
    far = [[30, 20], [34, 20], [34, 24]]
    _, annotations, _ = read_one(
        tmp_path,
        content(
            shape("polygon", triangle, group_id=1),
            shape("polygon", triangle, label="dog", group_id=1),
            shape("polygon", far, group_id=1),
            shape("polygon", far),
            shape("polygon", far),
        ),
    )
    assert len(annotations) == 4
    assert annotations[0]["segmentation"] == [[0, 0, 4, 0, 4, 4], [30, 20, 34, 20, 34, 24]]
    assert annotations[0]["bbox"] == [0, 0, 34, 24] and annotations[0]["area"] == 16


def test_what_coco_cannot_hold_is_told(tmp_path):
    _, annotations, notes = read_one(
        tmp_path,
        content(
            shape("line", [[0, 0], [4, 0]]),
            shape("linestrip", [[0, 0], [4, 0], [3, 3]]),
            shape("point", [[0, 0]]),
            shape("polygon", [[0, 0], [4, 0], [3, 3]], label="__ignore__"),
            shape("rectangle", [[1, 1], [3, 3]], flags={"blurred": True, "wet": False}),
        ),
    )
    assert [a["attributes"] for a in annotations] == [{"blurred": True}]
    assert {note.partition(":")[0] for note in notes} == {
        "2 lines",
        "1 points",
        "1 shapes labelled __ignore__",
    }


def test_sizes_come_from_the_image_where_the_file_has_none(tmp_path):
    entry, _, _ = read_one(tmp_path, content(imageHeight=None, imageWidth=None))
    assert (entry["width"], entry["height"]) == SIZE


FAULTS = {
    "broken off": (json.dumps(content()).encode()[:-20], "is not JSON"),
    "empty": (b"", "is empty"),
    "a list": (b"[1, 2]", "has no list of shapes"),
    "deep": (b'{"shapes": ' + b"[" * 100_000, "is not JSON"),
    "a long number": (b'{"shapes": ' + b"1" * 5_000 + b"}", "is not JSON"),
    "no label": (content(shape("polygon", [[1, 2]], label="")), "shape 1 has no label"),
    "two points": (content(shape("polygon", [[1, 2], [3, 4]])), "a polygon of 2 points"),
    "one point": (content(shape("rectangle", [[1, 2]])), "a rectangle of 1 points"),
    "three": (content(shape("circle", [[1, 2]] * 3)), "a circle of 3 points, not 2"),
    "words": (content(shape("polygon", [[1, "x"]] * 3)), "'x', not a number"),
    "no points": (content(shape("polygon", None)), "has no list of points"),
    "flat": (content(shape("polygon", [1, 2, 3, 4, 5, 6])), "has no list of points"),
    "unknown": (content(shape("cube", [[1, 2]] * 3)), "is a cube, which is not known here"),
    "no mask": (content(shape("mask", [[1, 2], [3, 4]])), "has a broken mask"),
    "no PNG": (content(shape("mask", [[1, 2], [3, 4]], mask="QUJD")), "has a broken mask"),
    "nowhere": (
        content(shape("mask", [[float("nan"), 2]], mask=png(np.ones((2, 2), np.uint8)))),
        "nan",
    ),
    "a number": (content(5), "shape 1 is no object"),
    "size": (content(imageWidth="wide"), "imageWidth is 'wide', not a number"),
    "memory": (
        content(
            shape("mask", [[1, 1]], mask=png(np.ones((2, 2), np.uint8))),
            imageWidth=900_000_000,
            imageHeight=900_000_000,
        ),
        "has a mask in an image of 900000000x900000000 pixels",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_broken_file_of_many_is_recorded(tmp_path, fault):
    what, why = FAULTS[fault]
    entry, annotations, _ = read_one(tmp_path, what)
    assert why in entry["problem"] and "\n" not in entry["problem"]
    assert entry["label_file"] == "a.json" and not annotations


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = json.dumps(
        content(shape("rectangle", [[1, 1], [3, 3]], label="Käse")), ensure_ascii=False
    )
    data = read_folder(folder_of(tmp_path, text.encode(encoding)))
    assert [c["name"] for c in data.splits["all"].coco["categories"]] == ["Käse", "cat"]


class TestImages:
    @pytest.mark.parametrize("text", ["../images/b.png", "..\\images\\b.png", "b.png"])
    def test_labels_in_a_folder_of_their_own(self, tmp_path, text):
        write_images(tmp_path / "images", [Scene("b", SIZE)])
        (tmp_path / "labels").mkdir()
        what = content(shape("rectangle", [[1, 1], [3, 3]]), imagePath=text)
        (tmp_path / "labels/of b.json").write_text(json.dumps(what))
        split = read_folder(tmp_path).splits["all"]
        assert [e["file_name"] for e in split.coco["images"]] == ["b.png"]
        assert split.image_root == tmp_path / "images"

    def test_an_image_outside_is_not_followed(self, tmp_path):
        folder = folder_of(tmp_path / "data", content(imagePath="../../../secret.png"))
        (folder / "a.png").unlink()
        entry = read_folder(folder).splits["all"].coco["images"][0]
        assert "outside of the data folder" in entry["problem"] and ".." not in entry["file_name"]

    def test_an_image_inside_its_json_is_told(self, tmp_path):
        folder = folder_of(tmp_path, content(imageData="iVBORw0KGgo="))
        (folder / "a.png").unlink()
        notes = read_folder(folder).notes
        assert "1 images that are only inside their json: write them out as files" in notes

    def test_json_of_another_kind_is_told(self, tmp_path):
        folder = folder_of(tmp_path, content())
        (folder / "settings.json").write_text('{"dark": true}')
        assert "1 json files of another kind: left out" in read_folder(folder).notes
