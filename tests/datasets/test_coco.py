import json
from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset as MMDetCocoDataset

from vitdet.datasets.coco import CocoDataset
from vitdet.errors import UserError


@pytest.fixture
def ann_file(shared_data):
    return str(shared_data / "coco128_train" / "annotations" / "instances.json")


def infos(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def test_same_items_as_mmdet_where_the_order_of_classes_agrees(ann_file):
    options = dict(ann_file=ann_file, data_prefix=dict(img="images"), pipeline=[])
    for filter_cfg in (None, dict(filter_empty_gt=True, min_size=32)):
        ours = CocoDataset(**options, filter_cfg=filter_cfg)
        theirs = MMDetCocoDataset(**options, filter_cfg=filter_cfg)
        assert infos(ours) == infos(theirs)
        assert ours.metainfo["classes"] == theirs.metainfo["classes"]
        assert len(ours) == (126 if filter_cfg else 128)


def test_items_are_the_same_packed_and_not(ann_file):
    options = dict(ann_file=ann_file, data_prefix=dict(img="images"), pipeline=[])
    packed, plain = CocoDataset(**options), CocoDataset(**options, serialize_data=False)
    assert infos(packed) == infos(plain)
    some = [5, 0, 127]
    assert infos(packed.get_subset(some))[0]["instances"] == infos(plain)[5]["instances"]
    assert [packed.get_cat_ids(i) for i in some] == [plain.get_cat_ids(i) for i in some]
    assert packed.get_data_info(-1) == plain.get_data_info(127)


def test_a_filter_that_leaves_nothing_is_refused(ann_file):
    with pytest.raises(UserError, match=r"filter_cfg={'min_size': 10000} leaves none of its 128"):
        CocoDataset(ann_file=ann_file, filter_cfg=dict(min_size=10_000), pipeline=[])


def test_label_is_the_place_in_classes(ann_file):
    content = json.loads(Path(ann_file).read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    corners = {
        (ann["image_id"], *ann["bbox"][:2]): names[ann["category_id"]]
        for ann in content["annotations"]
    }
    classes = ("zebra", "person", "car")
    dataset = CocoDataset(ann_file=ann_file, metainfo=dict(classes=classes), pipeline=[])
    assert dataset.metainfo["classes"] == classes
    instances = [(info["img_id"], item) for info in infos(dataset) for item in info["instances"]]
    assert {item["bbox_label"] for _, item in instances} == {0, 1, 2}
    for image_id, item in instances:
        assert classes[item["bbox_label"]] == corners[image_id, *item["bbox"][:2]]


def test_classes_come_from_the_file_when_left_open(shared_data):
    dataset = CocoDataset(ann_file=str(shared_data / "fruits_nuts" / "val.json"), pipeline=[])
    assert dataset.metainfo["classes"] == ("date", "fig", "hazelnut")


def test_unknown_class_is_refused_with_the_nearest_name(ann_file):
    with pytest.raises(UserError, match=r"no category 'aeroplane' \(did you mean 'airplane'\?\)"):
        CocoDataset(ann_file=ann_file, metainfo=dict(classes=("person", "aeroplane")), pipeline=[])


def test_area_may_be_missing(tmp_path):
    ann_file = tmp_path / "ann.json"
    ann_file.write_text(
        json.dumps(
            {
                "images": [{"id": 3, "file_name": "3.jpg", "height": 9, "width": 9}],
                "annotations": [{"image_id": 3, "category_id": 4, "bbox": [1, 2, 3, 4]}],
                "categories": [{"id": 4, "name": "dot"}],
            }
        )
    )
    (info,) = infos(CocoDataset(ann_file=str(ann_file), pipeline=[]))
    assert info["instances"] == [{"bbox": [1, 2, 4, 6], "bbox_label": 0, "ignore_flag": 0}]
