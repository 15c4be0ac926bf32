"""VGG Image Annotator, versions 1 and 2: regions of many images in one json or csv file.

Versions differ in whether regions are a list or numbered, and a saved project wraps the same in
settings. Which of a region's attributes is its class is the user's choice: one that is called so,
else the one that most regions have.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.file_names import inside, leads_outside
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import (
    LabelledImage,
    LabelledObject,
    data_folder,
    fill_sizes,
)
from vitdet.datasets.formats.outlines import box_of, ellipse
from vitdet.datasets.formats.untrusted_files import (
    BrokenLabelError,
    mentions,
    read_json,
    read_text,
    to_number,
)
from vitdet.errors import UserError

LOOKED_FOR = "VIA json or csv"
_CLASS_ATTRIBUTES = ("class", "label", "name", "category", "type", "object", "species")
_NO_CLASS = "object"
_HEADER = "region_shape_attributes"


@dataclass
class _Region:
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]


def evidence(tree: FolderTree) -> list[str]:
    """The json and csv files that are of this format, judged by some of each folder."""
    patterns = (rb'"regions"\s*:\s*[\[{]', rb'"filename"\s*:', rb'"size"\s*:')
    found = [name for name in tree.samples(".json") if mentions(tree.root / name, *patterns)]
    header = _HEADER.encode()
    return found + [name for name in tree.samples(".csv") if mentions(tree.root / name, header)]


def read(tree: FolderTree) -> DataFolder:
    """Read all such files of the tree; sizes come from the images.

    Raises UserError if a file cannot be read.
    """
    notes: Counter[str] = Counter()
    images: list[LabelledImage] = []
    regions: list[Sequence[_Region]] = []
    options: dict[str, dict[str, Any]] = {}
    names = evidence(tree)
    for name in names:
        try:
            items = _read_csv if name.lower().endswith(".csv") else _read_json
            for file_name, found in items(tree, name, options, notes):
                images.append(_image(tree, file_name, name))
                regions.append(found)
        except BrokenLabelError as error:
            raise UserError(f"{tree.root / name} {error}") from None
    fill_sizes(tree.root, images)
    attribute = _class_attribute([region for found in regions for region in found], notes)
    for image, found in zip(images, regions, strict=True):
        try:
            if image.problem is None:
                image.objects = list(_objects(found, attribute, options, notes))
        except BrokenLabelError as error:
            image.problem = str(error)
    source = tree.root / names[0] if len(names) == 1 else tree.root
    return data_folder(tree, "VIA", images, source=source, notes=notes)


_Items = Iterator[tuple[str, Sequence[_Region]]]


def _read_json(
    tree: FolderTree, name: str, options: dict[str, dict[str, Any]], notes: Counter[str]
) -> _Items:
    content = read_json(tree.root / name)
    if isinstance(content, dict) and "_via_img_metadata" in content:
        options.update(_options(content.get("_via_attributes")))
        content = content["_via_img_metadata"]
    if not isinstance(content, dict):
        raise BrokenLabelError("holds no images by name, as VIA's files do")
    for key, item in content.items():
        if not isinstance(item, dict) or "filename" not in item:
            raise BrokenLabelError(f"has an entry {key[:60]!r} without filename")
        found = item.get("regions") or []
        notes["attributes of whole images: left out"] += bool(item.get("file_attributes"))
        found = list(found.values()) if isinstance(found, dict) else found
        if not isinstance(found, list):
            raise BrokenLabelError("has regions that are no list")
        yield str(item["filename"]), [_region(region) for region in found]


def _options(attributes: Any) -> dict[str, dict[str, Any]]:
    """Attribute of regions -> its choices with their descriptions, as a project describes them."""
    described = attributes.get("region") if isinstance(attributes, dict) else None
    return {
        key: attribute["options"]
        for key, attribute in (described if isinstance(described, dict) else {}).items()
        if isinstance(attribute, dict) and isinstance(attribute.get("options"), dict)
    }


def _region(region: Any) -> _Region:
    if not isinstance(region, dict):
        raise BrokenLabelError("has a region that is no object")
    shape, attributes = region.get("shape_attributes"), region.get("region_attributes")
    return _Region(
        shape if isinstance(shape, dict) else {}, attributes if isinstance(attributes, dict) else {}
    )


def _read_csv(
    tree: FolderTree, name: str, options: dict[str, dict[str, Any]], notes: Counter[str]
) -> _Items:
    """One line for each region; an image without any has one line with an empty shape."""
    images: dict[str, list[_Region]] = {}
    reader = csv.DictReader(io.StringIO(read_text(tree.root / name)))
    try:
        for row in reader:
            row = {(key or "").lstrip("#"): value or "" for key, value in row.items()}
            found = images.setdefault(row.get("filename", ""), [])
            shape = json.loads(row.get(_HEADER) or "{}")
            attributes = json.loads(row.get("region_attributes") or "{}")
            if shape:
                found.append(_region({"shape_attributes": shape, "region_attributes": attributes}))
    except (csv.Error, ValueError, RecursionError) as error:
        raise BrokenLabelError(f"is broken at line {reader.line_num}: {error}") from None
    yield from images.items()


def _image(tree: FolderTree, file_name: str, name: str) -> LabelledImage:
    found = tree.image_by_name(file_name, near=name)
    image = LabelledImage(found or inside(file_name), label_file=name)
    if found is None and leads_outside(file_name):
        image.problem = "lies outside of the data folder: put the image there"
    return image


def _class_attribute(regions: Sequence[_Region], notes: Counter[str]) -> str | None:
    """The attribute that names classes, or None if no region has any: then all are one class."""
    counts = Counter(key for region in regions for key, value in region.attributes.items() if value)
    if not counts:
        notes[f"regions without attributes: of one class, {_NO_CLASS!r}"] += len(regions)
        return None
    by_word = {key.strip().lower(): key for key in reversed(counts)}
    chosen = next((by_word[word] for word in _CLASS_ATTRIBUTES if word in by_word), None)
    chosen = chosen or counts.most_common(1)[0][0]
    if len(counts) > 1:
        notes[f"regions: their class is the attribute {chosen!r}, others are kept beside"] += len(
            regions
        )
    return chosen


def _objects(
    regions: Sequence[_Region],
    attribute: str | None,
    options: Mapping[str, Mapping[str, Any]],
    notes: Counter[str],
) -> Iterator[LabelledObject]:
    for number, region in enumerate(regions, start=1):
        kind = region.shape.get("name")
        where = f"region {number} ({kind})"
        if kind in ("point", "polyline", "line"):
            notes[f"{kind}s: left out, COCO's boxes and masks have an area"] += 1
            continue
        if not isinstance(kind, str) or kind not in _SHAPES:
            raise BrokenLabelError(f"{where} is of a shape that is not known here")
        label = _NO_CLASS
        if attribute is not None:
            label = _label(region.attributes.get(attribute), options.get(attribute, {}))
        if not label:
            raise BrokenLabelError(f"{where} has no {attribute!r}, or several")
        box, outline = _SHAPES[kind](region.shape, where)
        if kind in ("circle", "ellipse"):
            notes[f"{kind}s: kept as polygons of 60 corners"] += 1
        others = {k: v for k, v in region.attributes.items() if k != attribute and v}
        yield LabelledObject(label, box, outline, {"attributes": others} if others else {})


def _label(value: Any, options: Mapping[str, Any]) -> str:
    """The class: a text, or the ticked one of several boxes; empty if there is not one."""
    if isinstance(value, dict):
        ticked = [key for key, on in value.items() if on]
        value = ticked[0] if len(ticked) == 1 else ""
    text = "" if value is None else str(value).strip()
    described = options.get(text)
    # choices may be numbered, and the name be their description
    return described if text.isdigit() and isinstance(described, str) and described else text


_Shape = tuple[list[float], list[list[float]] | None]


def _numbers(shape: Mapping[str, Any], where: str, *keys: str) -> list[float]:
    return [to_number(shape.get(key), f"{key} of {where}") for key in keys]


def _rect(shape: Mapping[str, Any], where: str) -> _Shape:
    return _numbers(shape, where, "x", "y", "width", "height"), None


def _round(shape: Mapping[str, Any], where: str) -> _Shape:
    cx, cy = _numbers(shape, where, "cx", "cy")
    rx, ry = _numbers(shape, where, *(("r", "r") if "r" in shape else ("rx", "ry")))
    theta = to_number(shape.get("theta", 0), f"theta of {where}")
    polygon = ellipse((cx, cy), (rx, ry), degrees=math.degrees(theta))
    return box_of([polygon]), [polygon]


def _polygon(shape: Mapping[str, Any], where: str) -> _Shape:
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise BrokenLabelError(f"{where} has not as many x as y")
    if len(xs) < 3:
        raise BrokenLabelError(f"{where} has {len(xs)} corners, not 3 or more")
    polygon = [
        to_number(value, f"a corner of {where}")
        for corner in zip(xs, ys, strict=True)
        for value in corner
    ]
    return box_of([polygon]), [polygon]


_SHAPES: dict[str, Callable[[Mapping[str, Any], str], _Shape]] = {
    "rect": _rect,
    "circle": _round,
    "ellipse": _round,
    "polygon": _polygon,
}
