"""Histograms as inline SVG."""

from collections.abc import Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT, _FOOT, _HEAD = 480, 200, 34, 16  # units of the drawing, which the page scales
_COLOURS = ("#1668b8", "#d9730d", "#2a9d5c")


def histogram(
    series: Sequence[tuple[str, np.ndarray]], edges: Sequence[float], *, x_name: str
) -> str:
    """Shares of each series between `edges`, side by side; the last bars hold all beyond, too.

    Args:
        series: names with (N,) values, at most three.
        edges: ascending; each is written under its bar's left side.
        x_name: what the values are.
    """
    inner = np.asarray(edges[1:-1])
    counts = [
        np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(edges) - 1)
        for _, values in series
    ]
    shares = [count / max(count.sum(), 1) for count in counts]
    top = max((share.max() for share in shares), default=1) or 1
    step = _WIDTH / (len(edges) - 1)
    bar = 0.84 * step / max(len(series), 1)
    parts = []
    for place, (name, _) in enumerate(series):
        colour = _COLOURS[place % len(_COLOURS)]
        for i, share in enumerate(shares[place]):
            height = (_HEIGHT - _FOOT - _HEAD) * share / top
            x = i * step + 0.08 * step + place * bar
            text = f"{name}: {counts[place][i]} ({share:.1%}) from {edges[i]:g} to {edges[i + 1]:g}"
            parts.append(
                f'<rect x="{x:.1f}" y="{_HEIGHT - _FOOT - height:.1f}" width="{bar:.1f}" '
                f'height="{height:.1f}" fill="{colour}"><title>{escape(text)}</title></rect>'
            )
        if len(series) > 1:
            parts.append(
                f'<text x="{_WIDTH - 60 * (len(series) - place)}" y="11" '
                f'style="fill:{colour}">{escape(name)}</text>'
            )
    base = _HEIGHT - _FOOT
    parts.append(f'<line x1="0" x2="{_WIDTH}" y1="{base}" y2="{base}" stroke="#9aa5b1"/>')
    labels = [f"{edge:g}" for edge in edges[:-1]]
    parts += [
        f'<text x="{i * step + 2:.1f}" y="{base + 13}">{label}</text>'
        for i, label in enumerate(labels)
    ]
    parts.append(
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 5}" text-anchor="middle">{escape(x_name)}</text>'
    )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'
