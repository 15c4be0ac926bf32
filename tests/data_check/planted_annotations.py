"""Faults planted in annotations."""

from pathlib import Path
from typing import Any

from tests.data_check.clean_folder import HEIGHT, WIDTH, outline
from tests.data_check.planting import LAST, planted, planted_values

NAN = float("nan")


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
