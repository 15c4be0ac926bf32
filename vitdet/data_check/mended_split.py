"""One split while it is mended: entries are exchanged or left out, never changed in place."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from vitdet.data_check.check_files import ImageFiles
from vitdet.data_check.columns import Columns
from vitdet.data_check.finding import Level
from vitdet.datasets.formats.data_folder import CocoSplit


class MendedSplit:
    """The entries of `columns`, by the same rows, with what was changed of them.

    Attributes:
        columns: the split as it was checked.
        files: the image files of the folder.
        images, annotations, categories: the entries as they are now.
    """

    def __init__(self, columns: Columns, files: ImageFiles) -> None:
        self.columns, self.files = columns, files
        self.images = list(columns.images)
        self.annotations = list(columns.annotations)
        self.categories = list(columns.categories)
        self._is_kept = {
            level: np.ones(len(getattr(self, level)), dtype=bool)
            for level in ("images", "annotations", "categories")
        }

    def change(self, level: Level, row: int, **values: Any) -> None:
        """Set values of one entry; None takes a key away."""
        entries = getattr(self, level)
        changed = {**entries[row], **values}
        entries[row] = {
            key: value for key, value in changed.items() if value is not None or key not in values
        }

    def leave_out(self, level: Level, rows: Iterable[int]) -> None:
        self._is_kept[level][np.asarray(rows, dtype=int)] = False

    def leave_images_out(self, rows: Iterable[int]) -> None:
        """Leave images out, with what is annotated in them."""
        rows = np.asarray(rows, dtype=int)
        self.leave_out("images", rows)
        self.leave_out("annotations", np.flatnonzero(np.isin(self.columns.ann_image, rows)))

    def annotations_of(self, level: Level, row: int) -> list[int]:
        """Rows of annotations that point to an image or a category."""
        order, pointers = self._by_image if level == "images" else self._by_category
        first, last = np.searchsorted(pointers, [row, row + 1])
        return order[first:last].tolist()

    @cached_property
    def _by_image(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.columns.ann_image, kind="stable")
        return order, self.columns.ann_image[order]

    @cached_property
    def _by_category(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.columns.ann_category, kind="stable")
        return order, self.columns.ann_category[order]

    def replace_categories(self, categories: list[dict[str, Any]]) -> None:
        """Take another list; what points into the old one is for the caller to change."""
        self.categories = categories
        self._is_kept["categories"] = np.ones(len(categories), dtype=bool)

    def kept(self, level: Level) -> list[dict[str, Any]]:
        entries = getattr(self, level)
        return [entries[row] for row in np.flatnonzero(self._is_kept[level]).tolist()]

    def to_split(self) -> CocoSplit:
        split = self.columns.split
        levels = ("images", "annotations", "categories")
        coco = {**split.coco, **{level: self.kept(level) for level in levels}}
        return CocoSplit(split.name, coco, split.image_root, split.source)
