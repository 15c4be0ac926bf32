"""Does a COCO data set fit together? Found out in seconds, before a model is even built."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from vitdet.datasets.coco_files import class_ids, read_coco, shown, some
from vitdet.datasets.entry_values import ANNOTATION_VALUES, IMAGE_VALUES, check_entries
from vitdet.errors import UserError

# Share of boxes reaching well out of their image above which they are taken for corner pairs.
_MAX_OUTSIDE = 0.25


@dataclass(frozen=True)
class CocoSummary:
    """What a data set holds: `class_instances` counts objects, crowds and unusable ones left out.

    Unusable are boxes smaller than a pixel or outside of their image; training skips them.
    """

    num_images: int
    num_empty_images: int
    num_crowds: int
    num_unusable: int
    class_instances: dict[str, int]


def check_coco(
    ann_file: str | Path, image_dir: str | Path, *, classes: Sequence[str] | None = None
) -> CocoSummary:
    """Check that annotations, images and classes belong together, and count them.

    Images are looked up by name and not opened. Raises UserError, in one line, at the first thing
    that would spoil training: a file that `read_coco` refuses, unknown classes, images missing,
    annotations of unlisted images or categories, boxes in another format, nothing annotated.
    """
    content = read_coco(ann_file)
    ids = class_ids(content, classes=classes, source=ann_file)
    images, annotations = content["images"], content["annotations"]
    if not images:
        raise UserError(f"{ann_file} lists no images")
    if not annotations:
        raise UserError(f"{ann_file} has no annotations: there is nothing to learn from")
    check_entries(ann_file, "image", images, IMAGE_VALUES)
    check_entries(ann_file, "annotation", annotations, ANNOTATION_VALUES)
    _check_references(ann_file, content)
    check_files_there(ann_file, Path(image_dir), images)

    sizes = {image["id"]: (image["width"], image["height"]) for image in images}
    counted = set(ids.values())
    objects = [
        ann
        for ann in annotations
        if ann["category_id"] in counted and not ann.get("iscrowd", 0) and not ann.get("ignore", 0)
    ]
    usable = [ann for ann in objects if _is_usable(ann["bbox"], *sizes[ann["image_id"]])]
    _check_boxes(ann_file, objects, usable, sizes, classes=list(ids))
    instances = Counter(ann["category_id"] for ann in usable)
    return CocoSummary(
        num_images=len(images),
        num_empty_images=len(images) - len({ann["image_id"] for ann in usable}),
        num_crowds=sum(
            bool(ann.get("iscrowd", 0)) and ann["category_id"] in counted for ann in annotations
        ),
        num_unusable=len(objects) - len(usable),
        class_instances={name: instances[category_id] for name, category_id in ids.items()},
    )


def _check_references(ann_file: str | Path, content: dict[str, Any]) -> None:
    for kind, key in (("images", "image_id"), ("categories", "category_id")):
        known = {entry["id"] for entry in content[kind]}
        lost = [ann[key] for ann in content["annotations"] if ann[key] not in known]
        if lost:
            raise UserError(
                f"{ann_file}: {len(lost)} annotations are of {kind} that it does not list: ids "
                f"{some(map(shown, dict.fromkeys(lost)))}"
            )


def check_files_there(
    ann_file: str | Path, folder: Path, entries: Sequence[dict[str, Any]], *, kind: str = "images"
) -> None:
    """Check that the `file_name` of every entry is in `folder`. Raises UserError otherwise.

    Each folder is listed once: files may be on a slow network disk.
    """
    listings: dict[PurePath, set[str]] = {}
    missing = []
    for entry in entries:
        path = folder / entry["file_name"]
        if path.parent not in listings:
            listings[path.parent] = _file_names(path.parent)
        if path.name not in listings[path.parent]:
            missing.append(path)
    if missing:
        names = some((os.path.relpath(path, folder) for path in missing), limit=3)
        raise UserError(
            f"{len(missing)} of {len(entries)} {kind} of {ann_file} are not in {folder}: {names}"
            f"{_near_name(missing[0], listings[missing[0].parent])}"
        )


def _file_names(folder: Path) -> set[str]:
    if not os.path.isdir(folder):  # also where the name is no possible one
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _near_name(missing: Path, present: set[str]) -> str:
    """Where only letter case or the ending differs, say so: it is the usual reason."""
    near = sorted(name for name in present if Path(name).stem.lower() == missing.stem.lower())
    return f" (there is {near[0]})" if near else ""


def _is_usable(box: Sequence[float], width: int, height: int) -> bool:
    """As mmdet judges: at least a pixel wide and high, and partly inside the image."""
    x, y, w, h = box
    return w >= 1 and h >= 1 and min(x + w, width) > max(x, 0) and min(y + h, height) > max(y, 0)


def _check_boxes(
    ann_file: str | Path,
    objects: Sequence[dict[str, Any]],
    usable: Sequence[dict[str, Any]],
    sizes: dict[Any, tuple[int, int]],
    *,
    classes: Sequence[str],
) -> None:
    if not objects:
        raise UserError(f"{ann_file} has no annotated object of {some(classes)}")
    if not usable:
        raise UserError(
            f"{ann_file}: none of {len(objects)} boxes is usable, the first is "
            f"{objects[0]['bbox']}: COCO wants x, y, width, height in pixels"
        )
    outside = [ann for ann in usable if _reaches_out(ann["bbox"], *sizes[ann["image_id"]])]
    if len(outside) > _MAX_OUTSIDE * len(usable):
        width, height = sizes[outside[0]["image_id"]]
        raise UserError(
            f"{ann_file}: {len(outside)} of {len(usable)} boxes reach out of their image, as "
            f"{outside[0]['bbox']} of {width}x{height}: COCO wants x, y, width, height, not corners"
        )


def _reaches_out(box: Sequence[float], width: int, height: int) -> bool:
    """Whether the far corner lies outside by more than the few pixels of a careless label."""
    x, y, w, h = box
    return x + w > 1.05 * width or y + h > 1.05 * height
