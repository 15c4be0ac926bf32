import numpy as np
import pytest
from PIL import Image

from vitdet.datasets import CocoDataset
from vitdet.errors import UserError
from vitdet.visualization import draw_ground_truth
from vitdet.visualization.colours import class_colour


@pytest.fixture
def data_info(tmp_path):
    Image.new("RGB", (100, 80), (128, 128, 128)).save(tmp_path / "1.png")
    polygon = [20, 40, 60, 40, 60, 70, 20, 70]
    return {
        "img_path": str(tmp_path / "1.png"),
        "height": 80,
        "width": 100,
        "instances": [
            {"bbox": [20, 40, 60, 70], "bbox_label": 1, "ignore_flag": 0, "mask": [polygon]},
            {"bbox": [0, 0, 100, 80], "bbox_label": 0, "ignore_flag": 1, "mask": [polygon]},
        ],
    }


def test_masks_and_labels_are_drawn_and_crowds_are_not(data_info):
    picture = np.asarray(draw_ground_truth(data_info, ["cat", "dog"]))
    tint = 0.55 * 128 + 0.45 * np.array(class_colour(1))
    np.testing.assert_allclose(picture[55, 40], tint, atol=1)
    assert not (picture == class_colour(0)).all(axis=2).any()


def test_boxes_alone(data_info):
    for instance in data_info["instances"]:
        del instance["mask"]
    picture = np.asarray(draw_ground_truth(data_info, ["cat", "dog"]))
    assert (picture[55, 40] == 128).all()
    assert (picture[69:71, 30] == class_colour(1)).all(axis=1).any()


def test_image_without_objects(data_info):
    data_info["instances"] = []
    picture = draw_ground_truth(data_info, ["cat", "dog"], scale=2)
    assert picture.size == (200, 160)
    assert (np.asarray(picture) == 128).all()


def test_image_that_is_not_there(data_info):
    with pytest.raises(UserError, match=r"image not found: .*2\.png"):
        draw_ground_truth(data_info | {"img_path": data_info["img_path"].replace("1", "2")}, [])


def test_real_labels(shared_data):
    folder = shared_data / "fruits_nuts"
    dataset = CocoDataset(
        ann_file=str(folder / "val.json"), data_prefix={"img": str(folder / "images")}, pipeline=[]
    )
    info = dataset.get_data_info(0)
    picture = draw_ground_truth(info, dataset.metainfo["classes"])
    drawn = np.asarray(picture) != np.asarray(Image.open(info["img_path"]))
    for instance in info["instances"]:
        x1, y1, x2, y2 = map(round, instance["bbox"])
        assert drawn[y1:y2, x1:x2].any(axis=2).mean() > 0.4
