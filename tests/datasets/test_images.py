import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from vitdet.datasets.images import read_image
from vitdet.errors import UserError


def test_same_pixels_as_in_training(shared_data):
    path = shared_data / "fruits_nuts" / "images" / "0.jpg"
    trained_on = LoadImageFromFile()({"img_path": str(path)})["img"]
    np.testing.assert_array_equal(read_image(path), trained_on[..., ::-1])


def test_exif_turn_is_applied_as_in_training(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    assert read_image(path).shape == (40, 20, 3)
    assert LoadImageFromFile()({"img_path": str(path)})["img"].shape == (40, 20, 3)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_other_kinds_of_image_come_as_rgb(tmp_path, mode):
    Image.new("RGB", (6, 5), (200, 200, 200)).convert(mode).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (5, 6, 3)
    assert image.dtype == np.uint8


def test_mistakes(tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    with pytest.raises(UserError, match="is not an image"):
        read_image(tmp_path / "text.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UserError, match="is not an image"):
        read_image(tmp_path / "empty.jpg")
    with pytest.raises(UserError, match="image not found"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="is a folder"):
        read_image(tmp_path)
