"""Each kind of fault, planted alone, is found with its file and id, and is gone when mended."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from tests.data_check.clean_folder import (
    HEIGHT,
    WIDTH,
    check,
    of_kind,
    outline,
    read_json,
    serious,
    write_clean_folder,
    write_json,
)
from vitdet.data_check.faults import FAULTS
from vitdet.data_check.mend import mend
from vitdet.data_check.mended_folder import write_mended
from vitdet.datasets.formats.recognise import read_folder

NAN = float("nan")
LAST = 43  # id of the last annotation of train
PLANTED: list["Planted"] = []


class Planted(NamedTuple):
    kind: str
    plant: Callable[[Path, dict[str, Any]], None]
    file: str
    id: Any


def planted(kind: str, *, file: str = "train.json", id: Any = LAST) -> Callable:
    """Register a function that edits the folder or the content of train.json."""

    def register(plant: Callable[[Path, dict[str, Any]], None]) -> Callable:
        PLANTED.append(Planted(kind, plant, file, id))
        return plant

    return register


def planted_values(kind: str, **values: Any) -> None:
    """Register values of the last annotation."""
    PLANTED.append(
        Planted(kind, lambda _, c: c["annotations"][-1].update(values), "train.json", LAST)
    )


def rle(counts: Any, size: Any = (HEIGHT, WIDTH)) -> dict[str, Any]:
    return {"size": list(size), "counts": counts}


planted_values("annotation of an unknown image", image_id=77)
planted_values("annotation of an unknown category", category_id=9)
planted_values("annotation without image or category", category_id=None)
planted_values("annotation without image or category", image_id=[1])
planted_values("id written in another type", category_id="3")
planted_values("id written in another type", image_id="4")
planted_values("crowd flag other than 0 and 1", iscrowd="yes")
planted_values("crowd flag other than 0 and 1", iscrowd=None)
planted_values("box missing", bbox=[])
planted_values("box missing", bbox=None, segmentation=[])
planted_values("box that is not four numbers", bbox=[1, 2, 3])
planted_values("box that is not four numbers", bbox={"x": 1})
planted_values("box with NaN or infinity", bbox=[1, NAN, 10, 10])
planted_values("box with NaN or infinity", bbox=[1, 2, float("inf"), 10], segmentation=[])
planted_values("box with NaN or infinity", bbox=[1, 2, 10**400, 10])
planted_values("box written as text", bbox=["12", "27", "14", "12"])
planted_values("inverted box", bbox=[26, 39, -14, -12])
planted_values("empty box", bbox=[5, 5, 0, 10], segmentation=[])
planted_values("box smaller than a pixel", bbox=[5, 5, 20, 0.5], segmentation=[])
planted_values("box outside the image", bbox=[100, 10, 20, 20], segmentation=[])
planted_values("box partly outside the image", bbox=[40, 10, 30, 20], segmentation=[])
planted_values("box a little outside the image", bbox=[40, 10, 25, 20], segmentation=[])
planted_values("tiny object", bbox=[40, 10, 5, 5], segmentation=[])
planted_values("box of the whole image", bbox=[0, 0, WIDTH, HEIGHT], segmentation=[])
planted_values("area missing", area=None)
planted_values("area not positive", area=0)
planted_values("area not positive", area=NAN)
planted_values("area not positive", area="large")
planted_values("area disagrees with the mask", area=900)
planted_values("area larger than the box", area=900, segmentation=[])
planted_values("mask missing where others have one", segmentation=[])
planted_values("mask in no known form", segmentation="12 13 14 15")
planted_values("mask in no known form", segmentation=7)
planted_values("polygon in another layout", segmentation=outline([12, 27, 14, 12]))
planted_values("polygon in another layout", segmentation=[[12, 27], [26, 27], [26, 39], [12, 39]])
planted_values("polygon in another layout", segmentation=[[[12, 27], [26, 27], [26, 39], [12, 39]]])
planted_values("polygon of no numbers", segmentation=[["a", "b", "c", "d", "e", "f"]])
planted_values("polygon of no numbers", segmentation=[{"x": [1, 2, 3]}])
planted_values("polygon of no numbers", segmentation=[None, outline([12, 27, 14, 12])])
planted_values(
    "polygon of an odd number of coordinates", segmentation=[[12, 27, 26, 27, 26, 39, 1]]
)
planted_values("polygon of fewer than three points", segmentation=[[12, 27, 26, 39]])
planted_values("polygon of fewer than three points", segmentation=[[], outline([12, 27, 14, 12])])
planted_values("polygon with NaN or infinity", segmentation=[[12, 27, 26, NAN, 26, 39]])
planted_values("polygon without area", segmentation=[[12, 27, 13, 28, 14, 29]])
planted_values("normalised polygon", segmentation=[[0.2, 0.6, 0.4, 0.6, 0.4, 0.8, 0.2, 0.8]])
planted_values("polygon outside the image", segmentation=[[80, 10, 90, 10, 90, 30]])
planted_values("polygon partly outside the image", segmentation=[[12, 27, 80, 27, 80, 39, 12, 39]])
planted_values("run lengths that cannot be read", segmentation=rle("~~~"))
planted_values("run lengths that cannot be read", segmentation=rle("00o"))  # ends in a number
planted_values("run lengths that cannot be read", segmentation=rle([1.5, 3]))
planted_values("run lengths that cannot be read", segmentation=rle([]))
planted_values("run lengths that cannot be read", segmentation=rle([3072], size=(0, 0)))
planted_values("run lengths that cannot be read", segmentation={"counts": [3072]})
planted_values("negative run length", segmentation=rle([3100, -28]))
planted_values("run lengths of another image size", segmentation=rle([1000, 500, 3300], (80, 60)))
planted_values("run lengths that do not fill the image", segmentation=rle([100, 50]))
planted_values("run lengths without a pixel", segmentation=rle([WIDTH * HEIGHT]))
planted_values("mask and box apart", segmentation=[outline([45, 5, 10, 10])])
planted_values("mask and box differ", segmentation=[outline([12, 27, 14, 5])])
planted_values("very long box", bbox=[1, 1, 60, 1.1], segmentation=[])


@planted("annotation id used twice")
def _(_root: Path, content: dict[str, Any]) -> None:
    content["annotations"][0]["id"] = LAST


@planted("annotation id that is no integer", id="last")
def _(_root: Path, content: dict[str, Any]) -> None:
    content["annotations"][-1]["id"] = "last"


@planted("annotation id 0", id=0)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["annotations"][-1]["id"] = 0


@planted("same box twice", id=99)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["annotations"].append({**content["annotations"][-1], "id": 99})


@planted("same box in two classes", id=99)
def _(_root: Path, content: dict[str, Any]) -> None:
    content["annotations"].append({**content["annotations"][-1], "id": 99, "category_id": 1})


@planted("normalised box")
def _(_root: Path, content: dict[str, Any]) -> None:
    box = content["annotations"][-1]["bbox"]
    scale = [WIDTH, HEIGHT, WIDTH, HEIGHT]
    content["annotations"][-1]["bbox"] = [v / s for v, s in zip(box, scale, strict=True)]


@planted("box of two corners")
def _(_root: Path, content: dict[str, Any]) -> None:
    x, y, w, h = content["annotations"][-1]["bbox"]
    content["annotations"][-1]["bbox"] = [x, y, x + w, y + h]


@planted("box of centre and size", id=42)
def _(_root: Path, content: dict[str, Any]) -> None:
    x, y, w, h = content["annotations"][-2]["bbox"]
    content["annotations"][-2]["bbox"] = [x + w / 2, y + h / 2, w, h]


@planted("very many objects in an image", file="004.jpg", id=4)
def _(_root: Path, content: dict[str, Any]) -> None:
    last = content["annotations"][-1]
    content["annotations"] += [
        {**last, "id": 1000 + i, "bbox": [i % 50, i // 50, 10, 10], "segmentation": []}
        for i in range(301)
    ]


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


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clean_folder(tmp_path_factory.mktemp("clean") / "data")


def test_a_clean_folder_is_clean(clean: Path) -> None:
    assert serious(check(clean)) == set()


def test_every_kind_is_planted() -> None:
    assert {one.kind for one in PLANTED} == set(FAULTS)


@pytest.mark.parametrize(
    "planted", [pytest.param(one, id=f"{i} {one.kind}") for i, one in enumerate(PLANTED)]
)
def test_found_and_mended(planted: Planted, clean: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(clean, root)
    content = read_json(root)
    planted.plant(root, content)
    write_json(root, content)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    found = check(root)

    findings = of_kind(found, planted.kind)
    places = [(one.file, one.id) for finding in findings for one in finding.examples]
    assert (planted.file, planted.id) in places
    assert all(one.severity == FAULTS[planted.kind].severity for one in findings)

    write_mended(mend(found), tmp_path / "mended")
    again = check(tmp_path / "mended")
    assert not again.has_errors, again.findings
    assert read_folder(tmp_path / "mended").format == "COCO"
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
