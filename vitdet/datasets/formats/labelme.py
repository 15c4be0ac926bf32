"""LabelMe: a json file for each image, with shapes as lists of points in pixels.

Shapes of one label and `group_id` are parts of one object, as LabelMe's own export to COCO has it.
"""

import base64
import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.file_names import inside, leads_outside, stem_of
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import (
    LabelledImage,
    LabelledObject,
    data_folder,
    fill_sizes,
    joined,
)
from vitdet.datasets.formats.outlines import bitmap_rle, box_of, ellipse, rle_box
from vitdet.datasets.formats.pairing import check_one_label_each, with_unlabelled
from vitdet.datasets.formats.untrusted_files import (
    BrokenLabelError,
    mentions,
    read_json,
    to_number,
    to_whole,
)
from vitdet.datasets.untrusted_images import open_image

LOOKED_FOR = "LabelMe json"
# LabelMe's names for what is no object.
_MAX_MASK = 100_000_000  # pixels: a small file may unpack to gigabytes
_NO_OBJECTS = ("__ignore__", "_background_")
_POLYGONS = ("polygon", "ai_polygon", "rotation", "oriented_rectangle")
_LINES = ("line", "linestrip", "lines")
_POINTS = ("point", "points", "ai_points")


def evidence(tree: FolderTree) -> list[str]:
    """The json files that are of this format, judged by some of each folder."""
    patterns = (rb'"shapes"\s*:\s*\[', rb'"image(Path|Data|Height)"\s*:')
    return [name for name in tree.samples(".json") if mentions(tree.root / name, *patterns)]


def read(tree: FolderTree) -> DataFolder:
    """Read all json files of the tree. Raises UserError if two are of one image."""
    notes: Counter[str] = Counter()
    images, shapes = [], []
    for name in tree.with_suffix(".json"):
        image, content = _read_file(tree, name, notes)
        if image is not None:
            images.append(image)
            shapes.append(content)
    check_one_label_each(tree, images)
    everything = with_unlabelled(tree, images, notes)
    fill_sizes(tree.root, everything)
    for image, content in zip(images, shapes, strict=True):
        try:
            image.objects = [] if image.problem else _read_shapes(image, content, notes)
        except BrokenLabelError as error:
            image.problem = str(error)
    source = tree.given if tree.single else tree.root
    return data_folder(tree, "LabelMe", everything, source=source, notes=notes)


def _read_file(
    tree: FolderTree, name: str, notes: Counter[str]
) -> tuple[LabelledImage | None, Sequence[Any]]:
    """The image of a file, without objects yet, and its shapes; None if it is of another kind."""
    own = tree.image_by_stem(stem_of(name), near=name)
    image = LabelledImage(own or stem_of(name), label_file=name)
    try:
        content = read_json(tree.root / name)
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            if own is None:
                notes["json files of another kind: left out"] += 1
                return None, ()
            raise BrokenLabelError("has no list of shapes, as LabelMe's files have")
        text = str(content.get("imagePath") or "")
        if own is None:
            found = tree.image_by_name(text, near=name)
            image.file = found or inside(text) or image.file
            if found is None and content.get("imageData"):
                notes["images that are only inside their json: write them out as files"] += 1
            elif found is None and leads_outside(text):
                raise BrokenLabelError(
                    f"names the image {text!r}, outside of the data folder: put the image there"
                )
        for side in ("Width", "Height"):
            value = content.get(f"image{side}")
            setattr(image, side.lower(), to_whole(value or 0, f"image{side}"))
    except BrokenLabelError as error:
        image.problem = str(error)
        return image, ()
    return image, content["shapes"]


def _read_shapes(
    image: LabelledImage, shapes: Sequence[Any], notes: Counter[str]
) -> list[LabelledObject]:
    objects, groups = [], []
    for number, shape in enumerate(shapes, start=1):
        if not isinstance(shape, dict):
            raise BrokenLabelError(f"shape {number} is no object")
        label = str(shape.get("label") or "").strip()
        if not label:
            raise BrokenLabelError(f"shape {number} has no label")
        if label in _NO_OBJECTS:
            notes[f"shapes labelled {label}: left out, as LabelMe does"] += 1
            continue
        obj = _read_shape(image, shape, label, f"shape {number} ({label})", notes)
        if obj is not None:
            flags = shape.get("flags")
            if isinstance(flags, dict) and any(flags.values()):
                obj.extra["attributes"] = {flag: True for flag, is_set in flags.items() if is_set}
            objects.append(obj)
            groups.append(shape.get("group_id"))
    return joined(objects, groups)


def _read_shape(
    image: LabelledImage, shape: dict[str, Any], label: str, where: str, notes: Counter[str]
) -> LabelledObject | None:
    kind = shape.get("shape_type") or "polygon"  # old files have none
    if kind in _LINES:
        notes["lines: left out, COCO has none"] += 1
        return None
    if kind in _POINTS:
        notes["points: left out, COCO's boxes and masks have an area"] += 1
        return None
    points = _points(shape.get("points"), where)
    if kind == "rectangle":
        if len(points) < 2:
            raise BrokenLabelError(f"{where} is a rectangle of {len(points)} points")
        return LabelledObject(label, box_of([[x for point in points for x in point]]))
    if kind == "circle":
        if len(points) != 2:
            raise BrokenLabelError(f"{where} is a circle of {len(points)} points, not 2")
        radius = math.dist(*points)
        polygon = ellipse(points[0], (radius, radius))
        notes["circles: kept as polygons of 60 corners"] += 1
        return LabelledObject(label, box_of([polygon]), [polygon])
    if kind in ("mask", "ai_mask"):
        if not points:
            raise BrokenLabelError(f"{where} has no points")
        bitmap = _bitmap(shape.get("mask"), where)
        corner = (to_whole(points[0][0], where), to_whole(points[0][1], where))
        rle = bitmap_rle(bitmap, corner, image_size=(image.width, image.height))
        return LabelledObject(label, rle_box(rle), rle)
    if kind not in _POLYGONS:
        raise BrokenLabelError(f"{where} is a {kind}, which is not known here")
    if len(points) < 3:
        raise BrokenLabelError(f"{where} is a polygon of {len(points)} points, not 3 or more")
    polygon = [x for point in points for x in point]
    return LabelledObject(label, box_of([polygon]), [polygon])


def _points(points: Any, where: str) -> list[tuple[float, float]]:
    if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise BrokenLabelError(f"{where} has no list of points x, y")
    return [(to_number(x, where), to_number(y, where)) for x, y in points]


def _bitmap(text: Any, where: str) -> np.ndarray:
    """(h, w) bool of a PNG in base64."""
    try:
        with open_image(io.BytesIO(base64.b64decode(text))) as image:
            if image.width * image.height > _MAX_MASK:
                raise ValueError(f"{image.width}x{image.height} pixels")
            return np.asarray(image.convert("L")) > 0
    except (TypeError, ValueError) as error:  # also those of base64 and of the image
        raise BrokenLabelError(f"{where} has a broken mask ({error})") from None
