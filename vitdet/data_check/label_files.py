"""The check of a folder of images and label PNGs, as `vitdet check-data` shows it."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from vitdet.data_check.label_report import label_report
from vitdet.datasets.images import read_image
from vitdet.datasets.label_files import label_pixels, palette_of
from vitdet.datasets.label_table import CLASSES_FILE, numbered_table
from vitdet.datasets.semantic_check import check_values, count_values, name_values
from vitdet.datasets.semantic_folder import find_semantic, pair_files, read_table
from vitdet.errors import UserError
from vitdet.visualization.page import figure, picture, section
from vitdet.visualization.semantic import class_colours, draw_semantic

_SAMPLES = 6  # drawn of each split
_SIDE = 480  # pixels of a sample's longer side


class LabelFilesCheck:
    """Label files counted, and found to fit their images and their classes.

    Attributes:
        root: the folder.
        report: table of classes and what to mind, as text.
    """

    def __init__(self, root: str | Path) -> None:
        """Read `root`.

        Raises UserError for the first file or value that does not fit, with the remedy.
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
        counts = {name: count_values(pairs, colours=colours) for name, pairs in self.pairs.items()}
        self.table = table or numbered_table(name_values([*counts.values()], str(classes_file)))
        for one in counts.values():
            check_values(one, self.table, classes_file=classes_file)
        self.report = label_report(counts, self.table)
        if table is None:
            self.report += f"\n{classes_file} is missing: classes are named after their values"

    def parts(self) -> Iterator[str]:
        """The pieces of a page: the report, and some images of each split with their labels."""
        yield f"<h1>{escape(self.root.resolve().name)}</h1>"
        yield f'<p class="soft">images and label files, {escape(str(self.root))}</p>'
        yield section("Labels", f"<pre>{escape(self.report)}</pre>")
        palette = palette_of(self.pairs["train"][0][1], self.table)
        colours = class_colours({"classes": self.table.classes, "palette": palette})
        for name, pairs in self.pairs.items():
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
