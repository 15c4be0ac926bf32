"""YOLO: a text file for each image; each line a class number, then a box or a polygon.

Numbers are shares of the image's width and height: centre x, centre y, width, height of a box, or
x, y of three or more corners. Names and splits are in Ultralytics' `data.yaml`, or in darknet's
`obj.names` and `train.txt`, or names alone in `classes.txt`, or nowhere.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from vitdet.datasets.formats.class_names import is_class_list
from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.file_names import stem_of
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import (
    LabelledImage,
    LabelledObject,
    data_folder,
    fill_sizes,
)
from vitdet.datasets.formats.outlines import box_of
from vitdet.datasets.formats.pairing import check_one_label_each, with_unlabelled
from vitdet.datasets.formats.untrusted_files import BrokenLabelError, read_text, to_whole
from vitdet.datasets.formats.yolo_dataset import YoloDataset, read_dataset_files

LOOKED_FOR = "YOLO text files named as the images"
# A line of labels, also one with too few columns; no list of file names or of classes.
_LINE = re.compile(r"\d+(\.0*)?([ \t]+[-+.\deEnaifNAIF]+){2,}\s*")

_MAX_CLASS = 100_000


def evidence(tree: FolderTree) -> list[str]:
    """Text files called as an image that begin as labels do, judged by some of each folder."""
    return [name for name in tree.samples(".txt") if _is_label_file(tree, name)]


def _is_label_file(tree: FolderTree, name: str) -> bool:
    if is_class_list(name):
        return False
    try:
        lines = read_text(tree.root / name).split("\n")
    except BrokenLabelError:
        return False
    first = next((line for line in lines if line.strip()), "")
    return bool(_LINE.fullmatch(first)) and (
        tree.image_by_stem(stem_of(name), near=name) is not None or not tree.images
    )


def read(tree: FolderTree) -> DataFolder:
    """Read all label files of the tree. Class number i is category i + 1.

    Raises UserError if two label files are of one image, or if lists of classes differ.
    """
    notes: Counter[str] = Counter()
    dataset = read_dataset_files(tree, notes)
    images, rows = [], []
    for name in tree.with_suffix(".txt"):
        if is_class_list(name) or name in dataset.lists:
            continue
        file = tree.image_by_stem(stem_of(name), near=name)
        image = LabelledImage(file or stem_of(name), label_file=name)
        try:
            parsed = read_rows(read_text(tree.root / name))
        except BrokenLabelError as error:
            parsed, image.problem = [], str(error)
        if file is None:
            if image.problem or not parsed:
                continue  # a text of something else
            image.problem = "has no image of its name"
        images.append(image)
        rows.append(parsed)
    check_one_label_each(tree, images)
    everything = with_unlabelled(tree, images, notes)
    fill_sizes(tree.root, everything)
    names = dataset.names or _numbered([row for parsed in rows for row in parsed], notes)
    for image, parsed in zip(images, rows, strict=True):
        if image.problem is None:
            _add_objects(image, parsed, names, dataset)
    everything = dataset.split_images(everything, notes)
    source = dataset.file or tree.root
    return data_folder(tree, "YOLO", everything, source=source, classes=names, notes=notes)


def read_rows(text: str) -> list[tuple[int, int, list[float]]]:
    """(line number, class number, coordinates) of each line that is not empty.

    Raises BrokenLabelError if a line is no row of numbers beginning with a class.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise BrokenLabelError(f"line {number} is not numbers: {line.strip()[:60]!r}") from None
        if not (0 <= values[0] <= _MAX_CLASS and values[0].is_integer()):
            raise BrokenLabelError(
                f"line {number} begins with {words[0]}, not the number of a class"
            )
        if len(values) < 5:
            raise BrokenLabelError(
                f"line {number} has {len(values)} columns: a class and 4 numbers of a box, or "
                "6 and more of a polygon"
            )
        rows.append((number, int(values[0]), values[1:]))
    return rows


def _numbered(rows: Sequence[tuple[int, int, list[float]]], notes: Counter[str]) -> list[str]:
    """Names for classes that have none, up to the highest number seen."""
    count = max((label for _, label, _ in rows), default=-1) + 1
    notes["classes without names, for want of a data.yaml or classes.txt: called by number"] = count
    return [f"class {number}" for number in range(count)]


def _add_objects(
    image: LabelledImage,
    rows: Sequence[tuple[int, int, list[float]]],
    names: Sequence[str],
    dataset: YoloDataset,
) -> None:
    """Give the image its objects, or the reason why it gets none."""
    try:
        objects = []
        for number, label, values in rows:
            if label >= len(names):
                raise BrokenLabelError(
                    f"line {number} has the class {label}, but only {len(names)} are named, from 0"
                )
            objects.append(_read_object(image, number, names[label], values, dataset.keypoints))
        image.objects = objects
    except BrokenLabelError as error:
        image.problem = str(error)


def _read_object(
    image: LabelledImage,
    line: int,
    name: str,
    values: list[float],
    keypoints: tuple[int, int] | None,
) -> LabelledObject:
    width, height = image.width, image.height
    if keypoints is not None and len(values) == 4 + keypoints[0] * keypoints[1]:
        extra = _keypoints(values[4:], keypoints[1], image)
        return LabelledObject(name, _box(values[:4], width, height), extra=extra)
    if len(values) == 4:
        return LabelledObject(name, _box(values, width, height))
    if len(values) < 6 or len(values) % 2:
        hint = ": remove the confidence at its end" if len(values) == 5 else ""
        raise BrokenLabelError(
            f"line {line} has {len(values) + 1} columns, neither a box nor a polygon{hint}"
        )
    polygon = [value * (height if k % 2 else width) for k, value in enumerate(values)]
    return LabelledObject(name, box_of([polygon]), [polygon])


def _box(values: Sequence[float], width: int, height: int) -> list[float]:
    x, y, w, h = values
    return [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height]


def _keypoints(values: Sequence[float], dims: int, image: LabelledImage) -> dict[str, Any]:
    """COCO's `keypoints`, x, y and visibility; 2, visible, where that is not told."""
    points: list[float] = []
    for start in range(0, len(values), dims):
        x, y = values[start] * image.width, values[start + 1] * image.height
        points += [x, y, to_whole(values[start + 2], "visibility") if dims == 3 else 2]
    return {"keypoints": points, "num_keypoints": sum(v > 0 for v in points[2::3])}
