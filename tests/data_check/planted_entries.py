"""Faults planted in images, categories and splits."""

import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from tests.data_check.clean_folder import HEIGHT, WIDTH, read_json, write_json
from tests.data_check.planting import planted


@planted("image entry without id or file name", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    del content["images"][-1]["file_name"]


@planted("label file that cannot be used", file="train.json", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1]["problem"] = "line 3 has seven columns"


@planted("label file that cannot be used", file="labels/004.txt", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1].update(problem="line 3 has seven columns", label_file="labels/004.txt")


@planted("label file without image", file="labels/004.txt", id=4)
def _(root: Path, content: dict[str, Any]) -> None:
    content["images"][-1].update(label_file="labels/004.txt")
    (root / "images/train/004.jpg").unlink()


@planted("image file missing", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    (root / "images/train/004.jpg").unlink()


@planted("image file under another name", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    (root / "images/train/004.jpg").rename(root / "images/train/004.JPEG")


@planted("file name that leaves the folder", file="../../secret.jpg", id=4)
def _(root: Path, content: dict[str, Any]) -> None:
    (root / "images/train/004.jpg").rename(root / "secret.jpg")
    content["images"][-1]["file_name"] = "../../secret.jpg"


@planted("file name that leaves the folder", file="C:\\004.jpg", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1]["file_name"] = "C:\\004.jpg"


@planted("image file unreadable", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    (root / "images/train/004.jpg").write_text("<html>not found</html>")


@planted("image file unreadable", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    (root / "images/train/004.jpg").write_bytes(b"")


@planted("image file truncated", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    path = root / "images/train/004.jpg"
    path.write_bytes(path.read_bytes()[:-300])


@planted("image file truncated", file="004.png", id=4)
def _(root: Path, content: dict[str, Any]) -> None:
    path = root / "images/train/004.png"
    Image.open(path.with_suffix(".jpg")).save(path)
    path.with_suffix(".jpg").unlink()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    content["images"][-1]["file_name"] = "004.png"


@planted("image size missing", file="004.jpg", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    del content["images"][-1]["width"]


@planted("image size missing", file="004.jpg", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1]["height"] = 0


@planted("image size differs from the file", file="004.jpg", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1].update(width=2 * WIDTH, height=2 * HEIGHT)


@planted("image resized after it was labelled", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    path = root / "images/train/004.jpg"
    Image.open(path).resize((3 * WIDTH, 3 * HEIGHT)).save(path)


@planted("image turned by EXIF", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    save_with_orientation(root, 6)


@planted("image mirrored or upside down by EXIF", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    save_with_orientation(root, 3)


def save_with_orientation(root: Path, orientation: int) -> None:
    path = root / "images/train/004.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(path).save(path, exif=exif)


@planted("image of an unusual kind", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    path = root / "images/train/004.jpg"
    Image.open(path).convert("CMYK").save(path)


@planted("image of unusual size", file="004.jpg", id=4)
def _(root: Path, content: dict[str, Any]) -> None:
    Image.new("RGB", (640, 20)).save(root / "images/train/004.jpg")
    content["images"][-1].update(width=640, height=20)


@planted("image id used twice", file="004.jpg", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1]["id"] = 3


@planted("image id used twice", file="003.jpg", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"].append(dict(content["images"][2]))


@planted("image id that is no integer", file="004.jpg", id="four")
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"][-1]["id"] = "four"
    for annotation in content["annotations"][-3:]:
        annotation["image_id"] = "four"


@planted("image listed twice", file="004.jpg", id=9)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["images"].append({**content["images"][-1], "id": 9})
    content["annotations"][-1]["image_id"] = 9


@planted("same picture twice", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    shutil.copy(root / "images/train/001.jpg", root / "images/train/004.jpg")


@planted("same picture in two splits", file="004.jpg", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    shutil.copy(root / "images/val/005.jpg", root / "images/train/004.jpg")


@planted("image listed in two splits", file="train/004.jpg", id=4)
def _(root: Path, content: dict[str, Any]) -> None:
    val = read_json(root, "val")
    for split, part in (("train", content), ("val", val)):
        for image in part["images"]:
            image["file_name"] = f"{split}/{image['file_name']}"
    val["images"].append(content["images"][-1])
    write_json(root, val, "val")


@planted("image without labels", file="004.jpg", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    del content["annotations"][-3:]


@planted("image file that nothing lists", file="images/train/900.jpg", id="")
def _(root: Path, _content: dict[str, Any]) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "images/train/900.jpg")


@planted("category without name", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["name"] = " "


@planted("category without name", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["name"] = 12


@planted("category without id", id=None)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["id"] = None


@planted("category id that is no integer", id="three")
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["id"] = "three"
    for annotation in content["annotations"][2::3]:
        annotation["category_id"] = "three"


@planted("category id used twice", id=2)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["id"] = 2


@planted("category id used twice", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append(dict(content["categories"][-1]))


@planted("category name used twice", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "boat"})
    content["annotations"][-1]["category_id"] = 4


@planted("category names that differ in case or spaces", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "Boat"})
    content["annotations"][-1]["category_id"] = 4


@planted("category names nearly alike", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "boats"})


@planted("category names nearly alike", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "zerba"})


@planted("category name with spaces around it", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["name"] = "boat "


@planted("category without instances", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "kettle"})


@planted("category of few instances", id=3)
def _(_root: Path, _content: dict[str, Any]) -> None:
    """All are few here."""


@planted("category that names no class", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "Background"})


@planted("category id 0", id=0)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["id"] = 0
    for annotation in content["annotations"][2::3]:
        annotation["category_id"] = 0


@planted("gaps in the category ids", id=8)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"][-1]["id"] = 8
    for annotation in content["annotations"][2::3]:
        annotation["category_id"] = 8


@planted("category id of another class in train", file="val.json", id=1)
def _(_root: Path, content: dict[str, Any]) -> None:
    first, second, _third = content["categories"]
    first["name"], second["name"] = second["name"], first["name"]


@planted("category that train does not list", file="val.json", id=4)
def _(root: Path, _content: dict[str, Any]) -> None:
    val = read_json(root, "val")
    val["categories"].append({"id": 4, "name": "kettle"})
    val["annotations"][-1]["category_id"] = 4
    write_json(root, val, "val")


@planted("category that only train lists", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["categories"].append({"id": 4, "name": "kettle"})
    content["annotations"][-1]["category_id"] = 4


@planted("category without instances in train", file="val.json", id=3)
def _(_root: Path, content: dict[str, Any]) -> None:
    del content["annotations"][2::3]


@planted("split without annotations", file="val.json", id="")
def _(root: Path, _content: dict[str, Any]) -> None:
    val = read_json(root, "val")
    write_json(root, {**val, "annotations": []}, "val")


@planted("split without images", file="val.json", id="")
def _(root: Path, _content: dict[str, Any]) -> None:
    val = read_json(root, "val")
    write_json(root, {**val, "images": [], "annotations": []}, "val")


@planted("no split to validate on", file="data", id="")
def _(root: Path, _content: dict[str, Any]) -> None:
    (root / "val.json").unlink()
