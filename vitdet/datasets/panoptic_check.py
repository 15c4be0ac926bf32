"""Does a panoptic data set fit together? Found out before a model is even built."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vitdet.datasets.coco_check import check_files_there
from vitdet.datasets.coco_files import shown, some
from vitdet.datasets.entry_values import is_id
from vitdet.datasets.generated import map_on_all_cores
from vitdet.datasets.panoptic_files import (
    VOID,
    panoptic_classes,
    read_panoptic,
    read_segment_ids,
)
from vitdet.datasets.untrusted_images import BrokenImageError, open_image
from vitdet.errors import UserError

_NUM_READ = 200  # PNGs that are looked into, evenly spread; more would take long


def check_panoptic(
    ann_file: str | Path,
    image_dir: str | Path,
    segment_dir: str | Path,
    *,
    classes: Sequence[str] | None = None,
) -> None:
    """Check that annotations, images, PNGs and classes belong together.

    Images are looked up by name and not opened, PNGs of up to 200 of them are read. Raises
    UserError, in one line, at the first thing that would spoil training: a file that
    `read_panoptic` refuses, unknown classes, images without annotation or the other way round,
    files that are missing, segments of unlisted categories, a PNG of another size than its image,
    or with pixels of segments that the json does not know.
    """
    content = read_panoptic(ann_file)
    panoptic_classes(content, classes=classes, source=ann_file)
    images, annotations = content["images"], content["annotations"]
    if not images:
        raise UserError(f"{ann_file} lists no images")
    _check_images_annotated(ann_file, images, annotations)
    categories = {category["id"] for category in content["categories"]}
    for annotation in annotations:
        _check_segments(ann_file, annotation, categories)
    check_files_there(ann_file, Path(image_dir), images)
    check_files_there(ann_file, Path(segment_dir), annotations, kind="PNGs")
    sizes = {image["id"]: (image["height"], image["width"]) for image in images}
    chosen = annotations[:: -(-len(annotations) // _NUM_READ)]
    tasks = [(annotation, sizes[annotation["image_id"]]) for annotation in chosen]
    problems = map_on_all_cores(partial(_problem_of_png, Path(segment_dir)), tasks)
    problem = next(filter(None, problems), None)
    if problem is not None:
        raise UserError(f"{problem}; its annotations are in {ann_file}")


def _check_images_annotated(
    ann_file: str | Path, images: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]]
) -> None:
    counts = Counter(annotation["image_id"] for annotation in annotations)
    lost = counts.keys() - {image["id"] for image in images}
    if lost:
        raise UserError(
            f"{ann_file}: {len(lost)} annotations are of images that it does not list: ids "
            f"{some(map(repr, sorted(lost, key=str)))}"
        )
    bare = [image["file_name"] for image in images if counts[image["id"]] != 1]
    if bare:
        raise UserError(
            f"{ann_file}: {len(bare)} of {len(images)} images have no annotation, or several: "
            f"{some(bare, limit=3)}; take them out of its images"
        )


def _check_segments(ann_file: str | Path, annotation: dict[str, Any], categories: set[Any]) -> None:
    name, segments = annotation["file_name"], annotation["segments_info"]
    for segment in segments:
        missing = [key for key in ("id", "category_id") if key not in segment]
        if missing:
            raise UserError(f"{ann_file}: a segment of {name} lacks {some(missing)}")
        if not isinstance(segment["id"], int):
            raise UserError(f"{ann_file}: a segment of {name} has the id {shown(segment['id'])}")
        if not is_id(segment["category_id"]) or segment["category_id"] not in categories:
            raise UserError(
                f"{ann_file}: segment {segment['id']} of {name} is of category "
                f"{shown(segment['category_id'])}, which it does not list"
            )
    counts = Counter(segment["id"] for segment in segments)
    wrong = [number for number, count in counts.items() if count > 1 or number == VOID]
    if wrong:
        raise UserError(
            f"{ann_file}: {name} has several segments {wrong[0]}, or that is 0, which stands for "
            "no segment"
        )


def _problem_of_png(folder: Path, task: tuple[dict[str, Any], tuple[int, int]]) -> str | None:
    """What is wrong with the PNG of an annotation, whose image has the size (H, W), or None."""
    annotation, (height, width) = task
    path = folder / annotation["file_name"]
    try:
        with open_image(path) as image:  # its pixels take long, and may be any number
            if sorted(image.size) != sorted((width, height)):
                size = f"{image.width}x{image.height}"
                return f"{path} is {size}, but its image {width}x{height}"
    except (FileNotFoundError, BrokenImageError):
        pass  # said below
    try:
        ids = read_segment_ids(path)
    except UserError as error:
        return str(error)
    if ids.shape != (height, width):
        return f"{path} is {ids.shape[1]}x{ids.shape[0]}, but its image {width}x{height}"
    known = {VOID, *(segment["id"] for segment in annotation["segments_info"])}
    unknown = [number for number in np.unique(ids).tolist() if number not in known]
    if unknown:
        return f"{path} has pixels of segments that its annotation does not list: {some(unknown)}"
    return None
