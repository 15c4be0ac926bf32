"""What the label check counted, as a short text."""

from collections.abc import Mapping

from vitdet.datasets.coco_files import some
from vitdet.datasets.label_table import LabelTable
from vitdet.datasets.semantic_check import LabelCounts
from vitdet.evaluation.text_table import plain_table, render

_MAX_ROWS = 30  # of classes; of more, those with the most pixels are shown
_NO_CLASS = {"void", "unlabeled", "unlabelled", "ignored", "unknown", "undefined"}


def label_report(splits: Mapping[str, LabelCounts], table: LabelTable) -> str:
    """Table of classes, with the share of pixels and the images of each split, and what to mind.

    That is: classes that never occur, images in which nothing is labelled, and values that are a
    class although they are named as if they were none.
    """
    text = plain_table(
        "class", "value", *(f"{s} {w}" for s in splits for w in ("pixels", "images"))
    )
    first = next(iter(splits.values()))
    order = sorted(range(len(table.values)), key=lambda k: -first.share([table.values[k]]))
    shown = sorted(order[:_MAX_ROWS])
    for label in shown:
        value = table.values[label]
        text.add_row(table.classes[label], str(value), *_figures(splits, [value]))
    if len(shown) < len(order):
        others = [table.values[label] for label in order[_MAX_ROWS:]]
        text.add_row(f"{len(others)} others", "", *_figures(splits, others))
    there = {value for counts in splits.values() for value in counts.values}
    ignored = sorted(table.ignored & there)
    if ignored:
        text.add_row("ignored", some(ignored, limit=3), *_figures(splits, ignored))
    notes = [note for name, counts in splits.items() for note in _notes(name, counts, table)]
    if 0 in ignored and table.values[0] == 1 and table.values[-1] not in there:
        notes.append(
            f"0 is ignored and {table.values[-1]} never occurs: labels that count from 0 look like "
            "this, for which reduce_zero_label is False, and no first line is `ignore`"
        )
    named = [name for name in table.classes if name.lower() in _NO_CLASS]
    if named:
        notes.append(
            f"{some(map(repr, named))} is learnt and scored like any class; where it is none, name "
            "it `ignore` in classes.txt"
        )
    return "\n".join(["labels", render(text), *notes])


def _figures(splits: Mapping[str, LabelCounts], values: list[int]) -> list[str]:
    return [
        figure
        for counts in splits.values()
        for figure in (f"{counts.share(values):.2%}", str(len(counts.files_with(values))))
    ]


def _notes(split: str, counts: LabelCounts, table: LabelTable) -> list[str]:
    notes = []
    if len(counts.files) < counts.num_files:
        notes.append(
            f"{split}: {len(counts.files)} of {counts.num_files} files were read, at random"
        )
    there = set(counts.values)
    absent = [name for name, v in zip(table.classes, table.values, strict=True) if v not in there]
    if absent:
        notes.append(f"{split}: never occurs: {some(absent, limit=12)}")
    labelled = set(counts.files_with(table.values))
    without = [file for file in counts.files if file not in labelled]
    if without:
        notes.append(
            f"{split}: nothing is labelled in {len(without)} of {len(counts.files)} files: "
            f"{some(without, limit=3)}"
        )
    return notes
