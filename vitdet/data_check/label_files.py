"""The check of a folder of images and label PNGs, as `vitdet check-data` shows it."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from vitdet.data_check.label_report import label_report
from vitdet.datasets.coco_files import some
from vitdet.datasets.identical_files import groups_of_identical
from vitdet.datasets.images import read_image
from vitdet.datasets.label_files import label_pixels, palette_of
from vitdet.datasets.label_table import CLASSES_FILE, UNKNOWN, numbered_table
from vitdet.datasets.semantic_check import LabelCounts, check_values, name_values, read_pairs
from vitdet.datasets.semantic_folder import find_semantic, pair_files, read_table
from vitdet.errors import UserError
from vitdet.visualization.page import figure, picture, section
from vitdet.visualization.semantic import class_colours, draw_semantic

_MAX_SHOWN = 20  # files with faults
_SAMPLES = 6  # drawn of each split
_SIDE = 480  # pixels of a sample's longer side


class LabelFilesCheck:
    """Label files counted, and what does not fit their images or their classes.

    Attributes:
        root: the folder.
        report: table of classes and what to mind, as text.
        faults: a line for each file that cannot be trained on, and each split whose values do not
            fit the classes.
    """

    def __init__(self, root: str | Path) -> None:
        """Read `root`.

        Raises UserError if images and label files cannot be paired, if no pair can be read, or if
        nothing names the values; with the remedy.
        """
        self.root = Path(root)
        found = find_semantic(self.root)
        folders = {"train": found.train, "val": found.val}
        if found.val == found.train:
            del folders["val"]
        self.pairs = {
            name: pair_files(self.root / images, self.root / labels)
            for name, (images, labels) in folders.items()
        }
        classes_file = self.root / CLASSES_FILE
        table = read_table(self.root, None) if classes_file.is_file() else None
        colours = table.colours if table else {}
        read = {name: read_pairs(pairs, colours=colours) for name, pairs in self.pairs.items()}
        self.faults = [fault for _, faults in read.values() for fault in faults]
        counts = {name: one for name, (one, _) in read.items() if one.files}
        if not counts:
            raise UserError(f"none of the label files can be used: {self.faults[0]}")
        self.table = table or numbered_table(name_values([*counts.values()], str(classes_file)))
        for one in counts.values():
            try:
                check_values(one, self.table, classes_file=classes_file)
            except UserError as error:
                self.faults.append(str(error))
        self._drawable = {name: self._drawable_pairs(name, one) for name, one in counts.items()}
        self.report = "\n".join(
            [label_report(counts, self.table), *self._same_pictures(), *self._shown_faults()]
        )
        if table is None:
            self.report += f"\n{classes_file} is missing: classes are named after their values"

    def _drawable_pairs(self, split: str, counts: LabelCounts) -> list[tuple[Path, Path]]:
        """Pairs that were read and have no value but those of the classes."""
        unknown = [value for value in counts.values if self.table.lookup[value] == UNKNOWN]
        fitting = set(counts.files) - set(counts.files_with(unknown))
        return [pair for pair in self.pairs[split] if str(pair[1]) in fitting]

    def _same_pictures(self) -> list[str]:
        """A line if images of `val` are the same files as images of `train`."""
        if "val" not in self.pairs:
            return []
        train, val = ([image for image, _ in self.pairs[name]] for name in ("train", "val"))
        first_of = groups_of_identical([*train, *val])
        leaked = [image for k, image in enumerate(val, len(train)) if first_of[k] < len(train)]
        if not leaked:
            return []
        names = some((image.relative_to(self.root) for image in leaked), limit=3)
        return [
            f"{len(leaked)} of {len(val)} images of val are in train too ({names}): what is "
            "measured on them says nothing; take them out of one of the two"
        ]

    def _shown_faults(self) -> list[str]:
        if not self.faults:
            return []
        more = len(self.faults) - _MAX_SHOWN
        return [
            f"errors ({len(self.faults)})",
            *(f"  {fault}" for fault in self.faults[:_MAX_SHOWN]),
            *([f"  and {more} more"] if more > 0 else []),
        ]

    def parts(self) -> Iterator[str]:
        """The pieces of a page: the report, and some images of each split with their labels."""
        yield f"<h1>{escape(self.root.resolve().name)}</h1>"
        yield f'<p class="soft">images and label files, {escape(str(self.root))}</p>'
        yield section("Labels", f"<pre>{escape(self.report)}</pre>")
        for name, pairs in self._drawable.items():
            if not pairs:
                continue
            palette = palette_of(pairs[0][1], self.table)
            colours = class_colours({"classes": self.table.classes, "palette": palette})
            spread = np.linspace(0, len(pairs) - 1, min(_SAMPLES, len(pairs))).round().astype(int)
            drawn = []
            for image, labels in (pairs[k] for k in spread.tolist()):
                pixels = read_image(image)
                tinted = draw_semantic(
                    pixels,
                    label_pixels(labels, self.table),
                    class_names=self.table.classes,
                    colours=colours,
                    scale=_SIDE / max(pixels.shape[:2]),
                )
                caption = str(image.relative_to(self.root))
                drawn.append(figure(picture(tinted, caption, max_size=(_SIDE, 2 * _SIDE)), caption))
            yield section(f"Images of {name}", f'<div class="grid">{"".join(drawn)}</div>')


def holds_label_files(root: str | Path) -> bool:
    """Whether `root` has folders of images and of label PNGs, by their names."""
    root = Path(root)
    try:
        found = find_semantic(root)
    except UserError:
        return False
    return next((root / found.train[1]).rglob("*.png"), None) is not None
