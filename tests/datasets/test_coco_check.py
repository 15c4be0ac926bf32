import json

import pytest

from vitdet.datasets.coco_check import check_coco
from vitdet.errors import UserError


@pytest.fixture
def dataset(tmp_path):
    """A file's content, and a function that writes it with its images and checks it."""
    content = {
        "images": [
            {"id": i, "file_name": f"set{i % 2}/{i}.jpg", "height": 100, "width": 200}
            for i in range(4)
        ],
        "annotations": [
            {"id": i, "image_id": i % 3, "category_id": 1 + i % 2, "bbox": [10, 20, 30, 40]}
            for i in range(6)
        ],
        "categories": [
            {"id": 1, "name": "cat"},
            {"id": 2, "name": "dog"},
            {"id": 3, "name": "eel"},
        ],
    }
    for image in content["images"]:
        path = tmp_path / "images" / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def check(**options):
        ann_file = tmp_path / "ann.json"
        ann_file.write_text(json.dumps(content))
        return check_coco(ann_file, tmp_path / "images", **options)

    return content, check


def test_counts(dataset):
    content, check = dataset
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["bbox"] = [10, 20, 0.5, 40]
    content["annotations"][2]["bbox"] = [-50, 20, 50, 40]
    summary = check()
    assert summary.num_images == 4
    assert summary.num_empty_images == 1
    assert summary.num_crowds == 1
    assert summary.num_unusable == 2
    assert summary.class_instances == {"cat": 1, "dog": 2, "eel": 0}
    assert list(check(classes=["dog", "cat"]).class_instances.items()) == [("dog", 2), ("cat", 1)]


def test_real_data(shared_data):
    folder = shared_data / "coco128_train"
    summary = check_coco(folder / "annotations" / "instances.json", folder / "images")
    assert summary.num_images == 128
    assert summary.num_crowds + sum(summary.class_instances.values()) == 939
    assert sum(number > 0 for number in summary.class_instances.values()) <= 71

    folder = shared_data / "fruits_nuts"
    summary = check_coco(folder / "trainval.json", folder / "images")
    assert sum(summary.class_instances.values()) == 165


def set_all(entries, **values):
    for entry in entries:
        entry.update(values)


# What is done to otherwise good data, and what the message must say.
MISTAKES = {
    "no images": (
        lambda data: data["images"].clear(),
        "lists no images",
    ),
    "no annotations": (
        lambda data: data["annotations"].clear(),
        "has no annotations",
    ),
    "image without size": (
        lambda data: data["images"][1].pop("height"),
        "image 1 lacks height",
    ),
    "annotation without box": (
        lambda data: data["annotations"][2].pop("bbox"),
        "annotation 2 lacks bbox",
    ),
    "unlisted image": (
        lambda data: set_all(data["annotations"][:2], image_id=77),
        "2 annotations are of images that it does not list: ids 77",
    ),
    "unlisted category": (
        lambda data: set_all(data["annotations"][:1], category_id=0),
        "1 annotations are of categories that it does not list: ids 0",
    ),
    "images not there": (
        lambda data: set_all(data["images"][2:], file_name="other/9.jpg"),
        r"2 of 4 images .* are not in .*images: other/9\.jpg, other/9\.jpg",
    ),
    "other ending": (
        lambda data: data["images"][2].update(file_name="set0/2.PNG"),
        r"1 of 4 images .*: set0/2\.PNG \(there is 2\.jpg\)",
    ),
    "relative boxes": (
        lambda data: set_all(data["annotations"], bbox=[0.1, 0.2, 0.3, 0.4]),
        r"none of 6 boxes is usable, the first is \[0\.1, .* in pixels",
    ),
    "corners": (
        lambda data: set_all(data["annotations"][:2], bbox=[80, 40, 190, 90]),
        "2 of 6 boxes reach out .* of 200x100: .*not corners",
    ),
    "only crowds": (
        lambda data: set_all(data["annotations"], iscrowd=1),
        "no annotated object of cat, dog, eel",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_in_one_line(dataset, mistake):
    content, check = dataset
    spoil, message = MISTAKES[mistake]
    spoil(content)
    with pytest.raises(UserError, match=message) as caught:
        check()
    assert "ann.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes_that_are_not_there(dataset):
    _, check = dataset
    with pytest.raises(UserError, match="did you mean 'cat'"):
        check(classes=["cats"])
    with pytest.raises(UserError, match="no annotated object of eel"):
        check(classes=["eel"])
    with pytest.raises(UserError, match="annotation file not found"):
        check_coco("nowhere.json", ".")
