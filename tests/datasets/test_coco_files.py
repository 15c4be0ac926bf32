import json
from pathlib import Path

import pytest

from vitdet.datasets.coco_files import annotations_kept, class_ids, read_categories, read_coco
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


def content(names=("1.jpg", "2.jpg"), categories=("cat", "dog")):
    return {
        "images": [
            {"id": i, "file_name": name, "height": 50, "width": 60} for i, name in enumerate(names)
        ],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 30, 40]}],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories, start=1)],
    }


def write(path: Path, what):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(what if isinstance(what, str) else json.dumps(what))


LAYOUTS = {
    "split files, one folder of images": ("train.json", "images/", "val.json", "images/"),
    "split files and folders": ("train.json", "images/train/", "val.json", "images/val/"),
    "split files, images beside": ("train.json", "", "valid.json", ""),
    "split folders at the root": ("train.json", "train/", "val.json", "val/"),
    "COCO": (
        *("annotations/instances_train2017.json", "train2017/"),
        *("annotations/instances_val2017.json", "val2017/"),
    ),
    "COCO without a year": (
        *("annotations/instances_train.json", "images/train2017/"),
        *("annotations/instances_val.json", "images/val2017/"),
    ),
    "Roboflow": (
        *("train/_annotations.coco.json", "train/"),
        *("valid/_annotations.coco.json", "valid/"),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_found(tmp_path, layout):
    train_ann, train_images, val_ann, val_images = LAYOUTS[layout]
    # Names of folders alone must not decide: these are there and hold nothing of use.
    for decoy in ("images", "train", "val", "train2017", "images/train"):
        write(tmp_path / decoy / "notes.txt", "")
    write(tmp_path / train_ann, content(["a.jpg", "b.jpg"]))
    write(tmp_path / val_ann, content(["c.jpg"]))
    write(tmp_path / train_images / "b.jpg", "")
    write(tmp_path / train_images / "a.jpg", "")
    write(tmp_path / val_images / "c.jpg", "")
    splits = read_folder(tmp_path).splits
    assert splits["train"].source == tmp_path / train_ann
    assert splits["val"].source == tmp_path / val_ann
    assert splits["train"].image_root == tmp_path / train_images
    assert splits["val"].image_root == tmp_path / val_images


def test_file_names_may_hold_folders_and_escapes(tmp_path):
    write(tmp_path / "train.json", content(['train/ä \\u00e4 "x".jpg']))
    write(tmp_path / "data" / "images" / "other.jpg", "")
    write(tmp_path / "images" / "train" / 'ä \\u00e4 "x".jpg', "")
    assert read_folder(tmp_path).splits["train"].image_root == tmp_path / "images"


def test_trainval_is_not_mistaken_for_train(tmp_path):
    for name in ("instances_train2014.json", "instances_trainval2014.json"):
        write(tmp_path / "annotations" / name, content())
    write(tmp_path / "images" / "1.jpg", "")
    assert read_folder(tmp_path).splits["train"].source.name == "instances_train2014.json"


def test_real_folders(shared_data):
    fruits = shared_data / "fruits_nuts"
    splits = read_folder(fruits).splits
    assert [splits[name].source for name in ("train", "val")] == [
        fruits / "train.json",
        fruits / "val.json",
    ]
    assert {split.image_root for split in splits.values()} == {fruits / "images"}
    assert read_categories(splits["train"].source) == ["date", "fig", "hazelnut"]


class TestNothingFound:
    def test_no_folder(self, tmp_path):
        with pytest.raises(UserError, match=r"data folder not found: .*nowhere"):
            read_folder(tmp_path / "nowhere")

    def test_no_annotations_says_what_was_looked_for_and_found(self, tmp_path):
        write(tmp_path / "labels" / "1.txt", "")
        write(tmp_path / "README", "")
        with pytest.raises(UserError, match=r"looked for COCO json.*found README, labels/") as e:
            read_folder(tmp_path)
        assert "\n" not in str(e.value)

    def test_several_files_for_one_split(self, tmp_path):
        for year in (2014, 2015):
            write(tmp_path / "annotations" / f"instances_train{year}.json", content())
        with pytest.raises(UserError, match=r"several.*train2014\.json, .*train2015\.json"):
            read_folder(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", json.dumps(content())[:60]])
    def test_annotations_that_are_broken(self, tmp_path, text):
        write(tmp_path / "train.json", text)
        with pytest.raises(UserError, match=r"train\.json is not JSON.* at line 1, column"):
            read_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [],\n "annotations": [}', r"not JSON: .* at line 2, column 18"),
        ("\xff\xfe", "not JSON"),
        ("[]", "it holds a list"),
        ('{"images": [], "shapes": []}', r"lacks the list 'annotations' and 'categories' .*shapes"),
        ('{"images": {}, "annotations": [], "categories": []}', "lacks the list 'images'"),
        (
            '{"images": [], "annotations": [], "categories": [{"name": "a"}]}',
            "every category needs an id and a name",
        ),
    ],
)
def test_files_that_are_not_coco(tmp_path, text, message):
    path = tmp_path / "ann.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=message) as caught:
        read_coco(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match="annotation file not found"):
        read_coco(tmp_path / "ann.json")
    with pytest.raises(UserError, match="is a folder"):
        read_coco(tmp_path)


class TestClasses:
    def test_ordered_by_category_id(self):
        file = content()
        file["categories"] = [{"id": 9, "name": "cat"}, {"id": 2, "name": "dog"}]
        assert list(class_ids(file).items()) == [("dog", 2), ("cat", 9)]

    def test_or_as_asked(self):
        assert list(class_ids(content(), classes=["dog", "cat"]).items()) == [
            ("dog", 2),
            ("cat", 1),
        ]
        assert class_ids(content(), classes=("dog",)) == {"dog": 2}

    def test_unknown_names_get_the_nearest_ones(self):
        with pytest.raises(
            UserError, match=r"no category 'Dogs' \(did you mean 'dog'\?\) in a\.json"
        ):
            class_ids(content(), classes=["cat", "Dogs"], source="a.json")
        with pytest.raises(UserError, match="no category 'zebra' among 'cat', 'dog'"):
            class_ids(content(), classes=["zebra"])

    def test_names_must_differ(self):
        with pytest.raises(UserError, match="several categories named 'cat'"):
            class_ids(content(categories=("cat", "cat")))

    def test_roboflow_root_is_no_class_unless_annotated_or_asked_for(self):
        file = content()
        for category in file["categories"]:
            category["supercategory"] = "pets"
        file["categories"].insert(0, {"id": 0, "name": "pets", "supercategory": "none"})
        assert class_ids(file) == {"cat": 1, "dog": 2}
        assert class_ids(file, classes=["pets", "cat"]) == {"pets": 0, "cat": 1}
        file["annotations"][0]["category_id"] = 0
        assert list(class_ids(file)) == ["pets", "cat", "dog"]

    def test_a_category_may_be_its_own_supercategory(self):
        file = content()
        for category in file["categories"]:
            category["supercategory"] = category["name"]
        file["annotations"] = []
        assert list(class_ids(file)) == ["cat", "dog"]


def test_what_is_kept_is_read_once_as_long_as_the_file_stays(tmp_path):
    file = tmp_path / "a.json"
    write(file, content())
    with annotations_kept():
        first = read_coco(file)
        with annotations_kept():
            assert read_coco(tmp_path / "." / "a.json") is first
        assert read_coco(file) is first
        write(file, content(names=("another.jpg",)))
        assert len(read_coco(file)["images"]) == 1
    assert read_coco(file) is not read_coco(file)
    with pytest.raises(UserError, match="annotation file not found"), annotations_kept():
        read_coco(tmp_path / "none.json")
