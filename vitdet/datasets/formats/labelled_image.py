"""An image with its objects, as all formats but COCO are read, and COCO made from them."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.datasets.formats.file_names import folder_of
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.outlines import box_of, polygon_area, rle_area
from vitdet.datasets.formats.splits import split_of_path
from vitdet.datasets.untrusted_images import BrokenImageError, open_image

_EXIF_ORIENTATION = 0x0112
# A thread waits for the disk most of the time.
_NUM_THREADS = 16


@dataclass(slots=True)
class LabelledObject:
    """One object: `box` is x, y, width, height in pixels of the upright image.

    `outline` is what COCO calls a segmentation: polygons, or counts and size of an RLE. `extra` are
    further keys of its annotation.
    """

    name: str
    box: list[float]
    outline: list[list[float]] | dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class LabelledImage:
    """One image file, relative to the tree's root, with what its labels say.

    `split` is a name that the format gives it; without one, the folders around it decide.
    """

    file: str
    width: int = 0
    height: int = 0
    objects: list[LabelledObject] = field(default_factory=list)
    label_file: str | None = None
    problem: str | None = None
    split: str | None = None


def joined(objects: Sequence[LabelledObject], groups: Sequence[Any]) -> list[LabelledObject]:
    """Objects of which polygons of one name and group are one; a group of None is no group."""
    result: list[LabelledObject] = []
    first: dict[tuple[str, str], LabelledObject] = {}
    for obj, group in zip(objects, groups, strict=True):
        key = (obj.name, str(group))
        if group is None or not isinstance(obj.outline, list):
            result.append(obj)
        elif key not in first:
            first[key] = obj
            result.append(obj)
        else:
            whole = first[key]
            whole.outline = [*whole.outline, *obj.outline]
            whole.box = box_of(whole.outline)
    return result


def fill_sizes(root: Path, images: Iterable[LabelledImage]) -> None:
    """Set width and height, in place, of the images whose labels do not tell, from their files.

    A file that is no image becomes its entry's `problem`; a missing one is left for the check.
    """
    unknown = [
        image for image in images if image.file and not (image.width > 0 and image.height > 0)
    ]
    files = list(dict.fromkeys(image.file for image in unknown))  # each is opened once
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        sizes = dict(zip(files, pool.map(lambda file: image_size(root / file), files), strict=True))
    for image in unknown:
        size = sizes[image.file]
        if isinstance(size, str):
            image.problem = image.problem or size
        else:
            image.width, image.height = size


def image_size(path: Path) -> tuple[int, int] | str:
    """(width, height) of the image, upright as its EXIF tag says, or why they cannot be told.

    Upright is how browsers and label tools show it, and how `read_image` reads it.
    """
    try:
        with open_image(path) as image:
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except FileNotFoundError:
        return "has no image"
    except (BrokenImageError, OSError) as error:
        return f"image cannot be read: {error}"
    return (height, width) if turned else (width, height)


def data_folder(
    tree: FolderTree,
    format_name: str,
    images: Sequence[LabelledImage],
    *,
    source: Path,
    classes: Sequence[str] = (),
    notes: Mapping[str, int] | None = None,
) -> DataFolder:
    """Make COCO's dicts of images: categories are `classes`, then other names, sorted, ids from 1.

    `source` is the file or folder that the labels came from; `notes` counts what was left out, by
    what it is. Ids are unique over all splits. Images that no split claims are training data where
    there are other splits.
    """
    counts: Counter[str] = Counter(notes or {})
    names = list(dict.fromkeys(classes))
    names += sorted({obj.name for image in images for obj in image.objects} - set(names))
    ids = {name: number for number, name in enumerate(names, start=1)}
    groups = _by_split(images, counts)
    folder = DataFolder(tree.root, format_name, {})
    next_image = next_annotation = 1
    for split in sorted(groups, key=["all", "train", "val", "test"].index):
        members = groups[split]
        common = _common_folder(members, tree)
        coco = {
            "images": [],
            "annotations": [],
            "categories": [{"id": number, "name": name} for name, number in ids.items()],
        }
        for image in members:
            coco["images"].append(_image_entry(image, next_image, common))
            for obj in [] if image.problem else image.objects:
                entry = _annotation(obj, next_annotation, next_image, ids[obj.name])
                coco["annotations"].append(entry)
                next_annotation += 1
            next_image += 1
        folder.splits[split] = CocoSplit(split, coco, tree.root / common, source)
    folder.notes = [f"{count} {what}" for what, count in counts.items() if count]
    return folder


def _by_split(
    images: Sequence[LabelledImage], notes: Counter[str]
) -> dict[str, list[LabelledImage]]:
    groups: dict[str, list[LabelledImage]] = {}
    for image in images:
        split = (
            image.split or split_of_path(image.file) or split_of_path(image.label_file or "") or ""
        )
        groups.setdefault(split, []).append(image)
    unclaimed = groups.pop("", [])
    if unclaimed and groups:
        notes["images in no folder of a split: taken for training"] += len(unclaimed)
        groups["train"] = groups.get("train", []) + unclaimed
    elif unclaimed or not groups:
        groups["all"] = unclaimed
    return groups


def _common_folder(images: Sequence[LabelledImage], tree: FolderTree) -> str:
    folders = {folder_of(image.file) for image in images if image.file in tree.images_set}
    return os.path.commonpath(folders) if folders else ""


def _image_entry(image: LabelledImage, image_id: int, folder: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": image_id,
        "file_name": image.file.removeprefix(f"{folder}/"),
        "width": image.width,
        "height": image.height,
    }
    if image.label_file is not None:
        entry["label_file"] = image.label_file
    if image.problem is not None:
        entry["problem"] = image.problem
    return entry


def _annotation(
    obj: LabelledObject, annotation_id: int, image_id: int, category_id: int
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": list(obj.box),
        "area": obj.box[2] * obj.box[3],
        "iscrowd": 0,
    }
    if isinstance(obj.outline, list):
        entry["segmentation"] = obj.outline
        entry["area"] = sum(map(polygon_area, obj.outline))
    elif obj.outline is not None:
        entry["segmentation"] = obj.outline
        entry["area"] = rle_area(obj.outline)
    entry.update(obj.extra)
    return entry
