"""Lines over numbers as an inline SVG."""

import math
from collections.abc import Sequence
from html import escape

from vitdet.report.scalars import Curve

_COLOURS = ("#1668b8", "#d9730d", "#2a9d5c", "#9b4dca", "#c4314b", "#6b7280")
_MAX_MARKED = 60  # points of a line that are drawn as dots with their values


def line_chart(
    curves: Sequence[tuple[str, Curve]],
    *,
    x_name: str,
    size: tuple[int, int] = (480, 260),
    y_limits: tuple[float, float] | None = None,
    x_limits: tuple[float, float] | None = None,
    dots: bool = True,
) -> str:
    """A chart of named curves, at most six, over one axis; a curve may have a single point.

    Args:
        curves: at least one, with at least one point each.
        x_name: what lies along the axis below.
        size: (width, height) of the drawing, which the page scales.
        y_limits: by default from 0, or the least value below it, to the largest.
        x_limits: by default the first and the last place.
        dots: whether points of short curves are drawn, with their values.
    """
    width, height = size
    left, right, top, bottom = 44, width - 10, 10, height - 34
    names = [name for name, _ in curves if name]
    if names:
        top += 18 * (1 + (len(names) - 1) // 3)
    xs = [x for _, (places, _) in curves for x in places]
    ys = [y for _, (_, values) in curves for y in values]
    x_range = _Range(*(x_limits or (min(xs), max(xs))), left, right)
    y_range = _Range(*(y_limits or (min(0, *ys), max(ys))), bottom, top)
    parts = [*_grid(x_range, y_range), *_legend(names, left, right)]
    middle = (left + right) / 2
    parts.append(
        f'<text x="{middle}" y="{height - 4}" text-anchor="middle">{escape(x_name)}</text>'
    )
    for (name, (places, values)), colour in zip(curves, _COLOURS, strict=False):
        points = [(x_range.at(x), y_range.at(y)) for x, y in zip(places, values, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8" '
            'stroke-linejoin="round"/>'
        )
        if dots and len(points) <= _MAX_MARKED:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}">'
                f"<title>{escape(f'{name} {value:.4g} at {place:g}')}</title></circle>"
                for (x, y), place, value in zip(points, places, values, strict=True)
            ]
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'


class _Range:
    """A span of values laid onto a span of pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if high <= low:  # a single value lies in the middle
            pad = abs(low) / 2 or 0.5
            low, high = low - pad, high + pad
        self.low, self.high, self.start, self.end = low, high, start, end

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, number: int) -> list[float]:
        """Round values in the span, about `number` of them."""
        raw = (self.high - self.low) / number
        power = 10 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _grid(x_range: _Range, y_range: _Range) -> list[str]:
    left, right, bottom = x_range.start, x_range.end, y_range.start
    parts = []
    for tick in y_range.ticks(max(2, round((bottom - y_range.end) / 45))):
        y = y_range.at(tick)
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#e1e6eb"/>')
        parts.append(f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_range.ticks(max(2, round((right - left) / 75))):
        x = x_range.at(tick)
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>'
            f'<path d="M{x:.1f} {bottom}v4" stroke="#9aa5b1"/>'
        )
    parts.append(f'<path d="M{left} {bottom}H{right}" stroke="#9aa5b1"/>')
    return parts


def _legend(names: Sequence[str], left: float, right: float) -> list[str]:
    column = min(145, (right - left) / min(3, max(len(names), 1)))
    parts = []
    for i, (name, colour) in enumerate(zip(names, _COLOURS, strict=False)):
        x, y = left + column * (i % 3), 14 + 18 * (i // 3)
        parts.append(f'<rect x="{x}" y="{y - 8}" width="10" height="10" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 15}" y="{y + 1}">{escape(name)}</text>')
    return parts
