import json
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.formats.samples import Scene, random_scenes, via_content, write_images
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError

SIZE = (40, 30)
RECT = {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 20}


def region(shape: dict = RECT, **attributes) -> dict:
    return {"shape_attributes": shape, "region_attributes": attributes}


def item(*regions, name: str = "a.png", **rest) -> dict:
    return {"filename": name, "size": 1, "regions": list(regions), "file_attributes": {}, **rest}


def folder_of(root: Path, *items: dict, project: dict | None = None) -> Path:
    write_images(root, [Scene("a", SIZE), Scene("b", SIZE)])
    content = {f"{entry.get('filename')}{k}": entry for k, entry in enumerate(items)}
    if project is not None:
        content = {"_via_settings": {}, "_via_img_metadata": content, **project}
    (root / "via.json").write_text(json.dumps(content))
    return root


def read_all(root: Path, *items: dict, project: dict | None = None):
    """Image entries, pairs of class and annotation, and the notes."""
    data = read_folder(folder_of(root, *items, project=project))
    assert data.format == "VIA"
    coco = data.splits["all"].coco
    names = {c["id"]: c["name"] for c in coco["categories"]}
    return coco["images"], [(names[a["category_id"]], a) for a in coco["annotations"]], data.notes


def test_shapes(tmp_path):
    shapes = [
        RECT,
        {"name": "polygon", "all_points_x": [0, 10, 10], "all_points_y": [0, 0, 10]},
        {"name": "circle", "cx": 20, "cy": 15, "r": 10},
        {"name": "ellipse", "cx": 20, "cy": 15, "rx": 5, "ry": 10, "theta": np.pi / 2},
        {"name": "point", "cx": 1, "cy": 1},
        {"name": "polyline", "all_points_x": [0, 10], "all_points_y": [0, 0]},
    ]
    (entry,), found, notes = read_all(tmp_path, item(*(region(s, kind="cat") for s in shapes)))
    assert (entry["width"], entry["height"]) == SIZE
    annotations = [ann for _, ann in found]
    assert annotations[0]["bbox"] == [1, 2, 10, 20] and "segmentation" not in annotations[0]
    assert annotations[1]["segmentation"] == [[0, 0, 10, 0, 10, 10]]
    np.testing.assert_allclose(annotations[2]["bbox"], [10, 5, 20, 20], atol=0.05)
    np.testing.assert_allclose(annotations[3]["bbox"], [10, 10, 20, 10], atol=0.05)
    assert {note.partition(":")[0] for note in notes} == {
        "1 circles",
        "1 ellipses",
        "1 points",
        "1 polylines",
    }


def test_version_1_numbers_its_regions(tmp_path):
    first = item(name="a.png") | {"regions": {"0": region(kind="cat"), "1": region(kind="dog")}}
    _, found, _ = read_all(tmp_path, first)
    assert [name for name, _ in found] == ["cat", "dog"]


def test_a_saved_project(tmp_path):
    options = {"type": "dropdown", "options": {"1": "red fox", "2": ""}}
    project = {"_via_attributes": {"region": {"sort": options}, "file": {}}}
    _, found, _ = read_all(tmp_path, item(region(sort="1"), region(sort="2")), project=project)
    assert [name for name, _ in found] == ["red fox", "2"]


class TestClassAttribute:
    def test_one_that_is_called_so(self, tmp_path):
        regions = [region(colour="red", Class="cat"), region(colour="blue", Class="dog")]
        _, found, notes = read_all(tmp_path, item(*regions))
        assert [name for name, _ in found] == ["cat", "dog"]
        assert [ann["attributes"] for _, ann in found] == [{"colour": "red"}, {"colour": "blue"}]
        assert "2 regions: their class is the attribute 'Class', others are kept beside" in notes

    def test_else_the_one_that_most_have(self, tmp_path):
        _, found, _ = read_all(tmp_path, item(region(a="x", b="y"), region(b="z", a="")))
        assert [name for name, _ in found] == ["y", "z"]

    def test_ticked_boxes(self, tmp_path):
        _, found, _ = read_all(tmp_path, item(region(kind={"cat": True, "dog": False})))
        assert [name for name, _ in found] == ["cat"]

    def test_none(self, tmp_path):
        _, found, notes = read_all(tmp_path, item(region(), region()))
        assert [name for name, _ in found] == ["object", "object"]
        assert "2 regions without attributes: of one class, 'object'" in notes

    @pytest.mark.parametrize("value", ["", None, {"cat": True, "dog": True}])
    def test_a_region_without_it(self, tmp_path, value):
        entries, found, _ = read_all(
            tmp_path,
            item(region(kind="cat"), region(kind=value)),
            item(region(kind="cat"), name="b.png"),
        )
        assert entries[0]["problem"] == "region 2 (rect) has no 'kind', or several"
        assert len(found) == 1


FAULTS = {
    "no shape": ({}, "is of a shape that is not known here"),
    "a new shape": ({"name": "cube"}, "region 1 (cube) is of a shape"),
    "no width": (
        {"name": "rect", "x": 1, "y": 2, "height": 3},
        "width of region 1 (rect) is 'None'",
    ),
    "words": ({**RECT, "x": "left"}, "x of region 1 (rect) is 'left', not a number"),
    "a y less": (
        {"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]},
        "has not as many x as y",
    ),
    "two corners": (
        {"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]},
        "has 2 corners, not 3 or more",
    ),
    "no corners": ({"name": "polygon"}, "has not as many x as y"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_broken_image_of_many_is_recorded(tmp_path, fault):
    shape, why = FAULTS[fault]
    entries, found, _ = read_all(
        tmp_path, item(region(shape, kind="cat")), item(region(kind="cat"), name="b.png")
    )
    assert why in entries[0]["problem"] and "problem" not in entries[1]
    assert len(found) == 1 and found[0][1]["image_id"] == entries[1]["id"]


def test_images_that_are_missing_or_outside(tmp_path):
    names = ["gone.png", "../../secret.png", "/etc/secret.png", "https://example.org/x/c.png"]
    entries, _, _ = read_all(tmp_path, item(), *(item(region(kind="cat"), name=n) for n in names))
    problems = [entry.get("problem", "") for entry in entries]
    assert problems[0] == "" and problems[1] == "has no image"
    assert all("outside of the data folder" in why for why in problems[2:4])
    assert problems[4] == "has no image"
    assert not any(e["file_name"].startswith(("/", "..", "https")) for e in entries)


def test_attributes_of_whole_images_are_told(tmp_path):
    _, _, notes = read_all(tmp_path, item(region(kind="cat"), file_attributes={"author": "me"}))
    assert "1 attributes of whole images: left out" in notes


class TestTheWholeFile:
    def test_broken_off(self, tmp_path):
        file = folder_of(tmp_path, item(region(kind="cat"))) / "via.json"
        file.write_text(file.read_text()[:-1])
        with pytest.raises(UserError, match=r"via.json is not JSON: .* at line 1, column"):
            read_folder(tmp_path)

    @pytest.mark.parametrize(
        "entry",
        [
            {"size": 1, "regions": []},
            {"filename": "a", "regions": [5]},
            {"filename": "a", "regions": True},
        ],
    )
    def test_entries_of_another_kind(self, tmp_path, entry):
        content = {"a": item(), "b": entry}
        folder_of(tmp_path, item())
        (tmp_path / "via.json").write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"via.json has (a|regions)"):
            read_folder(tmp_path)


class TestCsv:
    HEADER = (
        "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes\n"
    )

    def write(self, root: Path, lines: str, *, encoding: str = "utf-8") -> Path:
        write_images(root, [Scene("a", SIZE), Scene("b", SIZE)])
        (root / "via.csv").write_bytes((self.HEADER + lines).encode(encoding))
        return root

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    def test_images_without_regions_and_umlauts(self, tmp_path, encoding):
        shape = json.dumps(RECT).replace('"', '""')
        lines = f'a.png,1,"{{}}",1,0,"{shape}","{{""kind"": ""Käse""}}"\n'
        lines += 'b.png,1,"{}",0,0,"{}","{}"\n'
        coco = read_folder(self.write(tmp_path, lines, encoding=encoding)).splits["all"].coco
        assert [e["file_name"] for e in coco["images"]] == ["a.png", "b.png"]
        assert [c["name"] for c in coco["categories"]] == ["Käse"]
        assert [a["bbox"] for a in coco["annotations"]] == [[1, 2, 10, 20]]

    @pytest.mark.parametrize("cell", ['"{""name"": "', '"[1, 2"'])
    def test_broken_lines(self, tmp_path, cell):
        with pytest.raises(UserError, match=r"via.csv is broken at line 2"):
            read_folder(self.write(tmp_path, f'a.png,1,"{{}}",1,0,{cell},"{{}}"\n'))

    def test_another_table_is_none_of_ours(self, tmp_path):
        (tmp_path / "labels.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\n")
        with pytest.raises(UserError, match="no labels in"):
            read_folder(tmp_path)


def test_a_file_for_each_split(tmp_path):
    for seed, split in enumerate(("train", "val")):
        scenes = random_scenes(seed)
        write_images(tmp_path / split, scenes)
        (tmp_path / split / "via_region_data.json").write_text(json.dumps(via_content(scenes)))
    data = read_folder(tmp_path)
    for seed, split in enumerate(("train", "val")):
        coco = data.splits[split].coco
        assert data.splits[split].image_root == tmp_path / split
        assert len(coco["annotations"]) == sum(len(s.things) for s in random_scenes(seed))
        assert {e["label_file"] for e in coco["images"]} == {f"{split}/via_region_data.json"}
