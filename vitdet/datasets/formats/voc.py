"""Pascal VOC: an XML file for each image, with corners of boxes in pixels.

VOC's development kit counts pixels from 1 and includes the last one: a box over the whole image is
1, 1, width, height. In COCO's continuous coordinates that is xmin - 1, ymin - 1, xmax, ymax, as
detectron2 reads it too. Many tools write corners counted from 0 into the same file instead; an xmin
or ymin of 0, which the kit's way has not, tells them apart, and then corners are taken as they
stand. Wrongly told, boxes are off by one pixel. Objects with an outline come from tools that count
from 0.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.file_names import folder_of, inside, leads_outside, stem_of
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import (
    LabelledImage,
    LabelledObject,
    data_folder,
    fill_sizes,
)
from vitdet.datasets.formats.outlines import box_of, turned_box
from vitdet.datasets.formats.pairing import check_one_label_each, with_unlabelled
from vitdet.datasets.formats.untrusted_files import (
    BrokenLabelError,
    read_lines,
    read_xml,
    root_tag,
    to_number,
    to_whole,
)

LOOKED_FOR = "Pascal VOC XML files"
_LISTS = {"train.txt": "train", "val.txt": "val", "test.txt": "test", "trainval.txt": "train"}


def evidence(tree: FolderTree) -> list[str]:
    """The XML files that are of this format, judged by some of each folder."""
    return [name for name in tree.samples(".xml") if root_tag(tree.root / name) == "annotation"]


def read(tree: FolderTree) -> DataFolder:
    """Read all XML files of the tree; `ImageSets/Main/{train,val,test}.txt` are the splits.

    Raises UserError if two label files are of one image.
    """
    notes: Counter[str] = Counter()
    found = [_read_file(tree, name, notes) for name in tree.with_suffix(".xml")]
    images = [image for image in found if image is not None]
    check_one_label_each(tree, images)
    _to_continuous(images, notes)
    listed = _listed_splits(tree)
    images = with_unlabelled(tree, images, notes)
    if listed:
        for image in images:
            image.split = listed.get(stem_of(image.label_file or image.file))
        named = [image for image in images if image.split is not None]
        notes["images that no list in ImageSets/Main names: left out"] += len(images) - len(named)
        images = named
    fill_sizes(tree.root, images)
    source = tree.given if tree.single else tree.root
    return data_folder(tree, "Pascal VOC", images, source=source, notes=notes)


def _listed_splits(tree: FolderTree) -> dict[str, str]:
    """Split of each stem in `ImageSets/Main`; `trainval` counts where no `train` is."""
    lists = {
        name: _LISTS[name.rpartition("/")[2]]
        for name in tree.with_suffix(".txt")
        if folder_of(name).endswith("ImageSets/Main") and name.rpartition("/")[2] in _LISTS
    }
    splits: dict[str, str] = {}
    for name in sorted(lists, key=lambda name: name.endswith("trainval.txt")):
        if name.endswith("trainval.txt") and name.replace("trainval", "train") in lists:
            continue
        for line in read_lines(tree.root / name):
            if line.strip():
                splits.setdefault(line.split()[0], lists[name])
    return splits


def _read_file(tree: FolderTree, name: str, notes: Counter[str]) -> LabelledImage | None:
    """One file, or None of another kind; boxes are corners still, as they stand there."""
    own = tree.image_by_stem(stem_of(name), near=name)
    image = LabelledImage(own or stem_of(name), label_file=name)
    try:
        root = read_xml(tree.root / name)
        if root.tag != "annotation":
            notes["XML files of another kind: left out"] += 1
            return None
        image.width = _side(root, "width")
        image.height = _side(root, "height")
        if own is None:
            image.file = _named_image(tree, root, name)
        for number, element in enumerate(root.iterfind("object"), start=1):
            image.objects.append(_read_object(element, number, notes))
    except BrokenLabelError as error:
        image.problem, image.objects = str(error), []
    return image


def _named_image(tree: FolderTree, root: ElementTree.Element, name: str) -> str:
    """The image that the file names; one of the file's own name is preferred, as the kit does."""
    text = (root.findtext("filename") or "").strip()
    found = tree.image_by_name(text, near=name)
    if found is None and leads_outside(text):
        raise BrokenLabelError(
            f"names the image {text!r}, outside of the data folder: put the image there"
        )
    return found or inside(text) or stem_of(name)


def _read_object(element: ElementTree.Element, number: int, notes: Counter[str]) -> LabelledObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise BrokenLabelError(f"object {number} has no name")
    where = f"object {number} ({name})"
    if element.find("robndbox") is not None:  # roLabelImg's
        keys = ("cx", "cy", "w", "h", "angle")
        cx, cy, w, h, angle = (_number(element, f"robndbox/{key}", where=where) for key in keys)
        outline = [turned_box((cx, cy), (w, h), degrees=math.degrees(angle))]
        x, y, w, h = box_of(outline)
        corners = [x, y, x + w, y + h]
        notes["turned boxes: kept as polygons, their boxes are upright"] += 1
    elif element.find("bndbox") is not None:
        keys = ("xmin", "ymin", "xmax", "ymax")
        corners = [_number(element, f"bndbox/{key}", where=where) for key in keys]
        outline = _polygons(element, where)
    else:
        raise BrokenLabelError(f"{where} has no bndbox")
    return LabelledObject(name, corners, outline, _extra(element, notes))


def _polygons(element: ElementTree.Element, where: str) -> list[list[float]] | None:
    """Roboflow's <polygon> of <x1>, <y1>, <x2>, ...; most files have none."""
    polygons = [
        [to_number(child.text, f"a corner of {where}") for child in polygon]
        for polygon in element.iterfind("polygon")
    ]
    return [polygon for polygon in polygons if polygon] or None


def _extra(element: ElementTree.Element, notes: Counter[str]) -> dict[str, Any]:
    def is_set(flag: str) -> bool:
        return (element.findtext(flag) or "0").strip() not in ("0", "")

    extra: dict[str, Any] = {}
    flags = ("difficult", "truncated", "occluded")
    attributes: dict[str, Any] = {flag: True for flag in flags if is_set(flag)}
    pose = (element.findtext("pose") or "").strip()
    if pose.lower() not in ("", "unspecified"):
        attributes["pose"] = pose
    if attributes:
        extra["attributes"] = attributes
    if "difficult" in attributes:
        extra["ignore"] = 1
        notes["objects marked difficult: ignored, as VOC's evaluation ignores them"] += 1
    notes["parts of objects, such as heads and hands: left out"] += len(element.findall("part"))
    return extra


def _side(root: ElementTree.Element, name: str) -> int:
    """0 where the file does not tell: some tools write that themselves."""
    return to_whole((root.findtext(f"size/{name}") or "").strip() or 0, f"size/{name}")


def _number(element: ElementTree.Element, path: str, *, where: str) -> float:
    return to_number((element.findtext(path) or "").strip(), f"{path} of {where}")


def _to_continuous(images: Sequence[LabelledImage], notes: Counter[str]) -> None:
    """Make boxes of corners, in place, by the convention that they show; see the file's head."""
    objects = [obj for image in images for obj in image.objects]
    plain = [obj for obj in objects if not obj.outline]
    from_zero = any(0 in obj.box[:2] for obj in plain)
    for obj in objects:
        x1, y1, x2, y2 = obj.box
        first = 0 if from_zero or obj.outline else 1
        obj.box = [x1 - first, y1 - first, x2 - x1 + first, y2 - y1 + first]
    if from_zero:
        notes["boxes: corners counted from 0, as coordinates of 0 show"] += len(plain)
    else:
        notes["boxes: corners counted from 1, the last pixel included, as VOC does"] += len(plain)
