import json
from pathlib import Path

import pytest

from tests.datasets.formats.samples import Scene, write_images
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


def content(*names: str) -> dict:
    return {
        "images": [{"id": k, "file_name": n, "width": 9, "height": 9} for k, n in enumerate(names)],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "cat"}],
    }


def write(path: Path, what) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(what if isinstance(what, str) else json.dumps(what))


LAYOUTS = {
    "split files": {"train": "train.json", "val": "val.json", "test": "test.json"},
    "COCO": {
        "train": "annotations/instances_train2017.json",
        "val": "annotations/instances_val2017.json",
    },
    "Roboflow": {
        "train": "train/_annotations.coco.json",
        "val": "valid/_annotations.coco.json",
        "test": "test/_annotations.coco.json",
    },
    "one": {"all": "annotations/instances.json"},
    "one by any name": {"all": "labels/my export.json"},
    "names of one's own": {"train": "birds_train_v2.json", "val": "birds_val_v2.json"},
    "folders of one's own": {"train": "a/training/x.json", "test": "a/testing/y.json"},
    "no training": {"val": "val.json"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout):
    for split, file in LAYOUTS[layout].items():
        write(tmp_path / file, content(f"{split}.png"))
        write_images(tmp_path / "images", [Scene(split, (9, 9))])
    data = read_folder(tmp_path)
    assert data.format == "COCO" and not data.notes
    assert {k: s.source for k, s in data.splits.items()} == {
        k: tmp_path / file for k, file in LAYOUTS[layout].items()
    }
    for name, split in data.splits.items():
        assert split.image_root == tmp_path / "images"
        assert split.coco == content(f"{name}.png")


def test_other_json_beside_is_not_in_the_way(tmp_path):
    write(tmp_path / "annotations/instances.json", content("a.png"))
    write(tmp_path / "annotations/panoptic.json", content("a.png") | {"segments_info": []})
    write(tmp_path / "annotations/captions.json", {"images": [], "annotations": []})
    write(tmp_path / "results.json", [{"image_id": 1, "bbox": [1, 2, 3, 4]}])
    assert list(read_folder(tmp_path).splits) == ["all"]


def test_several_for_one_split(tmp_path):
    write(tmp_path / "one.json", content("a.png"))
    write(tmp_path / "two.json", content("a.png"))
    with pytest.raises(UserError, match=r"split 'all' \(one.json, two.json\): leave one there"):
        read_folder(tmp_path)
    assert read_folder(tmp_path / "two.json").splits["all"].source == tmp_path / "two.json"


def test_images_that_are_not_there_are_told(tmp_path):
    write(tmp_path / "train.json", content("a.png"))
    assert read_folder(tmp_path).notes == ["no image of train.json was found"]


def test_a_folder_of_annotations_beside_the_images(tmp_path):
    write(tmp_path / "annotations/train.json", content("a.png"))
    write_images(tmp_path / "images", [Scene("a", (9, 9))])
    for given in ("annotations", "annotations/train.json"):
        (split,) = read_folder(tmp_path / given).splits.values()
        assert split.image_root == tmp_path / "images"


FAULTS = {
    "broken off": (json.dumps(content("a"))[:-3], "train.json is not JSON: .* line 1, column"),
    "numbers as images": (json.dumps(content("a") | {"images": [1]}), "images wants objects"),
    "words": (json.dumps(content("a") | {"annotations": ["x"]}), "annotations wants objects"),
    "no ids": (json.dumps(content("a") | {"categories": [{}]}), "category needs an id and a name"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_whole_file(tmp_path, fault):
    text, why = FAULTS[fault]
    write(tmp_path / "train.json", text)
    with pytest.raises(UserError, match=why):
        read_folder(tmp_path)


def test_entries_are_left_as_they_are(tmp_path):
    wrong = content("a.png", "../b.png", "a.png")
    wrong["images"][2] = {"id": 0}
    wrong["annotations"][0] |= {"bbox": [float("inf"), -1, 0, 3], "segmentation": [[1, 2, 3]]}
    write(tmp_path / "train.json", wrong)
    assert read_folder(tmp_path).splits["train"].coco == wrong
