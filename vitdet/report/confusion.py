"""Which class is taken for which, as a table and as a list."""

from collections.abc import Sequence
from html import escape

import numpy as np

from vitdet.visualization.page import section

_MAX_CLASSES = 25  # more do not fit a page; then the most confused ones are shown
_MAX_PAIRS = 10


def confusion_section(
    counts: np.ndarray,
    names: Sequence[str],
    *,
    note: str,
    last_row: str | None = None,
    last_column: str | None = None,
    unit: str = "",
) -> str:
    """A table whose rows are shaded by their shares, and the most frequent confusions in words.

    Args:
        counts: (K, K) of true x found class, or (K + 1, K + 1) with `last_row` and `last_column`.
        names: of the K classes.
        note: how it was counted.
        last_row: name of what was found and is not there.
        last_column: name of what is there and was not found.
        unit: "%" shows shares of a row in place of counts.
    """
    num_classes = len(names)
    shown = np.arange(num_classes)
    if num_classes > _MAX_CLASSES:
        between = counts[:num_classes, :num_classes].copy()
        np.fill_diagonal(between, 0)
        shown = np.sort(np.argsort(-(between.sum(0) + between.sum(1)))[:_MAX_CLASSES])
        note += f" The {_MAX_CLASSES} classes that are confused most, of {num_classes}."
    rows, columns = [*names, last_row or ""], [*names, last_column or ""]
    if last_row is not None:
        shown = np.append(shown, num_classes)
    head = "".join(f"<th><span>{escape(columns[k])}</span></th>" for k in shown)
    body = "".join(
        f"<tr><th>{escape(rows[k])}</th>{_cells(counts[k], shown, k, unit)}</tr>" for k in shown
    )
    matrix = (
        f'<div class="scroll"><table class="matrix"><thead><tr><th>true \\ found</th>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )
    pairs = _pairs(counts[:num_classes, :num_classes], names, counts.sum(1), unit)
    return section("Confusions", matrix, pairs, note=note)


def _cells(row: np.ndarray, shown: np.ndarray, label: int, unit: str) -> str:
    total = row.sum() or 1
    cells = []
    for k in shown:
        share = row[k] / total
        hue = "22,104,184" if k == label else "196,49,75"
        ink = "#fff" if share > 0.55 else "inherit"
        number = f"{100 * share:.0f}" if unit == "%" else str(row[k])
        style = f"background:rgba({hue},{share:.2f});color:{ink}"
        cells.append(f'<td style="{style}">{number}</td>' if row[k] else "<td></td>")
    return "".join(cells)


def _pairs(between: np.ndarray, names: Sequence[str], totals: np.ndarray, unit: str) -> str:
    """The most frequent confusions of two classes."""
    between = between.copy()
    np.fill_diagonal(between, 0)
    order = np.argsort(-between, axis=None, kind="stable")[:_MAX_PAIRS]
    items = []
    for true, found in zip(*np.unravel_index(order, between.shape), strict=True):
        number, total = between[true, found], totals[true]
        if number:
            share = f"{100 * number / total:.0f} % of it" if unit == "%" else f"{number} of {total}"
            items.append(f"<li>{escape(f'{names[true]} taken for {names[found]}: {share}')}</li>")
    return f"<h3>Most frequent</h3><ul>{''.join(items)}</ul>" if items else ""
