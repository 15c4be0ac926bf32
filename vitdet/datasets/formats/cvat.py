"""CVAT's XML, "CVAT for images": one file for all images, with shapes in pixels.

Shapes of one label and group are parts of one object, as CVAT's own export to COCO has it.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np

from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.file_names import inside, leads_outside
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import (
    LabelledImage,
    LabelledObject,
    data_folder,
    fill_sizes,
    joined,
)
from vitdet.datasets.formats.outlines import (
    bitmap_rle,
    box_of,
    ellipse,
    rle_box,
    turned_box,
)
from vitdet.datasets.formats.splits import split_of_word
from vitdet.datasets.formats.untrusted_files import (
    BrokenLabelError,
    read_xml,
    root_tag,
    to_number,
    to_whole,
)
from vitdet.errors import UserError

LOOKED_FOR = "CVAT XML"
_LEFT_OUT = {
    "polyline": "polylines: left out, COCO has none",
    "points": "points: left out, COCO's boxes and masks have an area",
    "skeleton": "skeletons: left out",
    "cuboid": "cuboids: left out, COCO has none",
    "tag": "tags of whole images: left out",
}


def evidence(tree: FolderTree) -> list[str]:
    """The XML files that are of this format, judged by some of each folder."""
    return [name for name in tree.samples(".xml") if root_tag(tree.root / name) == "annotations"]


def read(tree: FolderTree) -> DataFolder:
    """Read all such files of the tree; an image's `subset` is its split, where it names one.

    Raises UserError if a file cannot be read or holds the tracks of a video only.
    """
    notes: Counter[str] = Counter()
    images: list[LabelledImage] = []
    classes: list[str] = []
    names = evidence(tree)
    for name in names:
        path = tree.root / name
        try:
            root = read_xml(path)
        except BrokenLabelError as error:
            raise UserError(f"{path} {error}") from None
        elements = root.findall("image")
        tracks = root.findall("track")
        if tracks and not elements:
            raise UserError(f'{path} holds tracks of a video: export it as "CVAT for images"')
        notes["tracks of a video: left out"] += len(tracks)
        labels = (element.text or "" for element in root.iterfind("meta//labels/label/name"))
        classes += [label.strip() for label in labels if label.strip()]
        images += [_read_image(tree, element, name, notes) for element in elements]
    fill_sizes(tree.root, images)
    source = tree.root / names[0] if len(names) == 1 else tree.root
    return data_folder(tree, "CVAT", images, source=source, classes=classes, notes=notes)


def _read_image(
    tree: FolderTree, element: ElementTree.Element, name: str, notes: Counter[str]
) -> LabelledImage:
    text = element.get("name") or ""
    found = tree.image_by_name(text, near=name)
    image = LabelledImage(found or inside(text), label_file=name)
    image.split = split_of_word(element.get("subset") or "")
    try:
        if not text:
            raise BrokenLabelError(f"image {element.get('id')} has no name")
        if found is None and leads_outside(text):
            raise BrokenLabelError("lies outside of the data folder: put the image there")
        image.width, image.height = (to_whole(element.get(k), k) for k in ("width", "height"))
        objects, groups = [], []
        for shape in element:
            obj = _read_shape(image, shape, notes)
            if obj is not None:
                objects.append(obj)
                group = shape.get("group_id") or "0"
                groups.append(None if group == "0" else group)
        image.objects = joined(objects, groups)
    except BrokenLabelError as error:
        image.problem = str(error)
    return image


def _read_shape(
    image: LabelledImage, shape: ElementTree.Element, notes: Counter[str]
) -> LabelledObject | None:
    if shape.tag in _LEFT_OUT:
        notes[_LEFT_OUT[shape.tag]] += 1
        return None
    if shape.tag not in _READERS:
        raise BrokenLabelError(f"has a <{shape.tag}>, which is not known here")
    label = (shape.get("label") or "").strip()
    if not label:
        raise BrokenLabelError(f"has a {shape.tag} without label")
    box, outline = _READERS[shape.tag](image, shape, notes)
    attributes: dict[str, Any] = {
        attribute.get("name") or "": attribute.text or ""
        for attribute in shape.iterfind("attribute")
    }
    if shape.get("occluded") == "1":
        attributes["occluded"] = True
    return LabelledObject(label, box, outline, {"attributes": attributes} if attributes else {})


_Shape = tuple[list[float], list[list[float]] | dict[str, Any] | None]


def _box(image: LabelledImage, shape: ElementTree.Element, notes: Counter[str]) -> _Shape:
    x1, y1, x2, y2 = (_number(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    degrees = _number(shape, "rotation", default=0)
    if degrees == 0:
        return [x1, y1, x2 - x1, y2 - y1], None
    notes["turned boxes: kept as polygons, their boxes are upright"] += 1
    polygon = turned_box(((x1 + x2) / 2, (y1 + y2) / 2), (x2 - x1, y2 - y1), degrees=degrees)
    return box_of([polygon]), [polygon]


def _polygon(image: LabelledImage, shape: ElementTree.Element, notes: Counter[str]) -> _Shape:
    corners = [corner.split(",") for corner in (shape.get("points") or "").split(";")]
    if len(corners) < 3 or any(len(corner) != 2 for corner in corners):
        raise BrokenLabelError("has a polygon that is no list of 3 or more points x,y")
    polygon = [to_number(value, "a corner") for corner in corners for value in corner]
    return box_of([polygon]), [polygon]


def _ellipse(image: LabelledImage, shape: ElementTree.Element, notes: Counter[str]) -> _Shape:
    cx, cy, rx, ry = (_number(shape, key) for key in ("cx", "cy", "rx", "ry"))
    polygon = ellipse((cx, cy), (rx, ry), degrees=_number(shape, "rotation", default=0))
    notes["ellipses: kept as polygons of 60 corners"] += 1
    return box_of([polygon]), [polygon]


def _mask(image: LabelledImage, shape: ElementTree.Element, notes: Counter[str]) -> _Shape:
    """Lengths of runs along the rows of a crop, outside first."""
    left, top, width, height = (
        to_whole(shape.get(key), f"{key} of a mask") for key in ("left", "top", "width", "height")
    )
    runs = [to_whole(run, "a run of a mask") for run in (shape.get("rle") or "").split(",")]
    if not (0 < width <= image.width and 0 < height <= image.height):
        raise BrokenLabelError(f"has a mask of {width}x{height} pixels")
    if min(runs) < 0 or sum(runs) != width * height:
        raise BrokenLabelError(f"has a mask whose runs do not fill its {width}x{height} pixels")
    bitmap = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    rle = bitmap_rle(bitmap, (left, top), image_size=(image.width, image.height))
    return rle_box(rle), rle


_READERS: dict[str, Callable[[LabelledImage, ElementTree.Element, Counter[str]], _Shape]] = {
    "box": _box,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
}


def _number(element: ElementTree.Element, key: str, *, default: float | None = None) -> float:
    value = element.get(key)
    if value is None and default is not None:
        return default
    return to_number(value, f"{key} of a {element.tag}")
