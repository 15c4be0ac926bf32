"""What the check of a data set found, as plain text."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from vitdet.data_check.check import DataCheck
from vitdet.data_check.columns import Columns
from vitdet.data_check.finding import SEVERITIES, Finding
from vitdet.data_check.mask_columns import MaskForm
from vitdet.data_check.mend import is_mended
from vitdet.evaluation.text_table import plain_table, render

_MAX_CLASSES = 30  # rows; of more classes those with the most instances are shown
_MAX_TEXT = 160  # characters of an example
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}  # COCO's, in area
SPLIT_HEAD = (
    *("split", "images", "labelled", "objects", "crowds", "masks", "image sizes"),
    *SIZES,
)


def summary(check: DataCheck) -> str:
    """Tables of splits and classes, then the findings, errors first."""
    folder = check.folder
    parts = [
        f"{folder.root}: {folder.format}",
        split_table(check.splits),
        class_table(check.splits),
        *folder.notes,
        *finding_lines(check.findings),
        totals(check.findings),
    ]
    return "\n".join(parts)


def split_table(splits: Mapping[str, Columns]) -> str:
    table = plain_table(*SPLIT_HEAD)
    for name, columns in splits.items():
        table.add_row(name, *split_figures(columns))
    return render(table)


def split_figures(columns: Columns) -> list[str]:
    """Numbers of images, labelled images, objects, crowds and masks, sides, and shares of sizes."""
    is_object = (columns.ann_image >= 0) & ~columns.is_crowd
    labelled = len(np.unique(columns.ann_image[is_object]))
    areas = columns.boxes[is_object, 2:].prod(axis=1)
    shares = [((areas >= low) & (areas < high)).sum() for low, high in SIZES.values()]
    return [
        str(len(columns.images)),
        str(labelled),
        str(int(is_object.sum())),
        str(int(columns.is_crowd.sum())),
        str(int((columns.masks.form != MaskForm.NONE).sum())),
        _sides(columns.image_size),
        *(f"{share / max(len(areas), 1):.0%}" for share in shares),
    ]


def _sides(sizes: np.ndarray) -> str:
    """Smallest to largest, by area."""
    known = sizes[np.isfinite(sizes).all(axis=1)]
    if not len(known):
        return "-"
    order = np.argsort(known.prod(axis=1), kind="stable")
    first, last = (f"{w:.0f}x{h:.0f}" for w, h in known[order[[0, -1]]])
    return first if first == last else f"{first} to {last}"


def class_counts(splits: Mapping[str, Columns]) -> dict[str, list[tuple[int, int]]]:
    """Objects and images of each class in each split, by name, in the order of the first split."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for place, columns in enumerate(splits.values()):
        objects = columns.instances()
        rows = (columns.ann_category >= 0) & (columns.ann_image >= 0) & ~columns.is_crowd
        pairs = np.stack([columns.ann_category[rows], columns.ann_image[rows]], axis=1)
        images = np.bincount(np.unique(pairs, axis=0)[:, 0], minlength=len(columns.categories))
        for row, entry in enumerate(columns.categories):
            figures = counts.setdefault(str(entry.get("name")), [(0, 0)] * len(splits))
            before = figures[place]
            figures[place] = (before[0] + int(objects[row]), before[1] + int(images[row]))
    return counts


def class_table(splits: Mapping[str, Columns]) -> str:
    counts = class_counts(splits)
    table = plain_table("class", *(f"{s} {w}" for s in splits for w in ("objects", "images")))
    order = sorted(counts, key=lambda name: -sum(objects for objects, _ in counts[name]))
    shown = set(order[:_MAX_CLASSES])
    for name, figures in counts.items():
        if name in shown:
            table.add_row(name, *(str(value) for pair in figures for value in pair))
    if len(order) > _MAX_CLASSES:
        others = [counts[name] for name in order[_MAX_CLASSES:]]
        sums = [sum(figures[place][0] for figures in others) for place in range(len(splits))]
        cells = (text for objects in sums for text in (str(objects), ""))
        table.add_row(f"{len(others)} others", *cells)
    return render(table)


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Each finding as a line, its examples, and what `--fix` does about it."""
    for severity in SEVERITIES:
        those = [finding for finding in findings if finding.severity == severity]
        if those:
            yield f"\n{severity}s"
        for finding in those:
            yield f"  {finding.kind}: {finding.count} in {finding.split}"
            for example in finding.examples:
                place = example.file if example.id in ("", None) else f"{example.file} {example.id}"
                what = " ".join(str(example.what).split())
                yield f"      {place}: {what[:_MAX_TEXT]}"
            if finding.count > len(finding.examples):
                yield f"      and {finding.count - len(finding.examples)} more"
            yield f"    {'with --fix: ' * is_mended(finding)}{finding.action}"


def totals(findings: Sequence[Finding]) -> str:
    """How many kinds of each severity were found."""
    counts = {one: sum(f.severity == one for f in findings) for one in SEVERITIES}
    parts = [f"{count} {one}{'s' * (count > 1)}" for one, count in counts.items() if count]
    return "\n" + (", ".join(parts) or "nothing found")
