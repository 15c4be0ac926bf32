"""The check of a data set as one page that needs no other file."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from vitdet.data_check.check import DataCheck
from vitdet.data_check.columns import Columns
from vitdet.data_check.finding import SEVERITIES, Finding
from vitdet.data_check.histogram import histogram
from vitdet.data_check.mend import is_mended
from vitdet.data_check.samples import class_samples, finding_samples
from vitdet.data_check.summary import SPLIT_HEAD, class_counts, split_figures
from vitdet.errors import UserError
from vitdet.visualization.page import figure, page, picture, section, table, tiles

_SAMPLES_PER_FINDING, _SAMPLES_PER_CLASS = 3, 3
_MAX_CLASSES = 20  # with samples; of more those with the most objects are shown
_COLOURS = {"error": "#c4314b", "warning": "#d9730d", "note": "#667380"}
_SIDE_EDGES = (0, 8, 16, 32, 64, 96, 128, 256, 512, 1024)  # pixels
_COUNT_EDGES = (0, 1, 2, 3, 5, 10, 20, 50, 100, 300)


def write_page(check: DataCheck, path: str | Path) -> None:
    """Write tables, histograms, findings and drawn samples to one HTML file.

    Raises UserError if the file cannot be written.
    """
    save_page(check.folder.root, _parts(check), path)


def save_page(root: Path, parts: Iterable[str], path: str | Path) -> None:
    """Write parts of a page about the folder `root`.

    Raises UserError if the file cannot be written.
    """
    content = page(f"data check: {root.resolve().name}", parts)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _parts(check: DataCheck) -> Iterator[str]:
    folder = check.folder
    yield f"<h1>{escape(folder.root.resolve().name)}</h1>"
    yield f'<p class="soft">{escape(folder.format)}, {escape(str(folder.root))}</p>'
    severities = [one.severity for one in check.findings]
    yield tiles(
        [
            ("images", str(sum(len(columns.images) for columns in check.splits.values()))),
            ("annotations", str(sum(len(one.annotations) for one in check.splits.values()))),
            ("classes", str(len(class_counts(check.splits)))),
            *((f"kinds of {one}", str(severities.count(one))) for one in SEVERITIES),
        ]
    )
    rows = [[escape(name), *split_figures(one)] for name, one in check.splits.items()]
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in folder.notes)
    yield section("Splits", table(SPLIT_HEAD, rows), notes)
    note = "Errors spoil a training or are lost in it; warnings probably do."
    yield findings_section(check, title="Findings", note=note)
    yield _histograms(check.splits.values())
    yield _classes(check)


def findings_section(check: DataCheck, *, title: str, note: str) -> str:
    """Every finding with its first places, and samples of it; `note` stands above them."""
    if not check.findings:
        return section(title, "<p>Nothing was found.</p>")
    parts = [_finding(check.splits[one.split], one) for one in check.findings]
    return section(title, *parts, note=note)


def _finding(columns: Columns, finding: Finding) -> str:
    places = "".join(
        f"<li>{escape(f'{one.file} {one.id}'.rstrip())}: {escape(one.what)}</li>"
        for one in finding.examples
    )
    more = finding.count - len(finding.examples)
    if more > 0:
        places += f'<li class="soft">and {more} more</li>'
    action = f"With --fix: {finding.action}" if is_mended(finding) else finding.action.capitalize()
    return (
        f'<h3><span class="chip" style="background:{_COLOURS[finding.severity]}"></span>'
        f"{escape(finding.kind)} "
        f'<span class="soft">{finding.severity}, {finding.count} in {escape(finding.split)}</span>'
        f'</h3><ul style="margin:0 0 4px;overflow-wrap:anywhere">{places}</ul>'
        f'<p class="soft">{escape(action)}.</p>'
        + _pictures(finding_samples(columns, finding, limit=_SAMPLES_PER_FINDING))
    )


def _pictures(samples: Sequence[tuple[Image.Image, str]]) -> str:
    if not samples:
        return ""
    figures = [figure(picture(one, name, max_size=(360, 300)), name) for one, name in samples]
    return f'<div class="grid">{"".join(figures)}</div>'


def _histograms(splits: Sequence[Columns]) -> str:
    sides, per_image = [], []
    for columns in splits:
        is_object = (columns.ann_image >= 0) & ~columns.is_crowd
        size = columns.boxes[is_object, 2:].prod(axis=1)
        sides.append((columns.split.name, np.sqrt(size[np.isfinite(size)])))
        counts = np.bincount(columns.ann_image[is_object], minlength=len(columns.images))
        per_image.append((columns.split.name, counts))
    return section(
        "Sizes and numbers",
        '<div class="grid">',
        figure(
            histogram(sides, _SIDE_EDGES, x_name="pixels"),
            "Side of a square of the box's area; shares of all objects",
        ),
        figure(
            histogram(per_image, _COUNT_EDGES, x_name="objects"),
            "Objects in an image; shares of all images",
        ),
        "</div>",
    )


def _classes(check: DataCheck) -> str:
    counts = class_counts(check.splits)
    head = ["class", *(f"{name} {what}" for name in check.splits for what in ("objects", "images"))]
    rows = [
        [escape(name), *(str(value) for pair in figures for value in pair)]
        for name, figures in counts.items()
    ]
    parts = [table(head, rows)]
    columns = next(iter(check.splits.values()))
    objects = columns.instances()
    order = np.argsort(-objects, kind="stable")[:_MAX_CLASSES]
    for row in sorted(order[objects[order] > 0].tolist()):
        drawn = _pictures(class_samples(columns, row, limit=_SAMPLES_PER_CLASS))
        parts.append(f"<h3>{escape(str(columns.categories[row].get('name')))}</h3>{drawn}")
    note = f"Samples are of {columns.split.name}." if len(check.splits) > 1 else ""
    return section("Classes", *parts, note=note)
