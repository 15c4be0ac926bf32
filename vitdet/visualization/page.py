"""The pieces of a page that needs no other file: tables, pictures, sections, and its style."""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape

from PIL import Image

STYLE = """
:root { --ink: #1f2933; --soft: #667380; --line: #e1e6eb; --back: #f5f7f9; --accent: #1668b8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { margin: 0; font-size: 26px; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 18px; }
h3 { margin: 20px 0 6px; font-size: 15px; }
p { margin: 0 0 12px; }
.soft { color: var(--soft); }
section { margin-top: 20px; padding: 18px 20px; background: #fff; border: 1px solid var(--line);
  border-radius: 10px; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 16px; }
.tile { flex: 1 1 110px; padding: 10px 14px; background: #fff; border: 1px solid var(--line);
  border-radius: 10px; }
.tile b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); }
.grid.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 640px), 1fr)); }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }
img, svg { display: block; max-width: 100%; height: auto; }
svg { width: 100%; }
svg text { font: 11px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  fill: var(--soft); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; }
.pair img { width: 100%; border-radius: 4px; }
.scroll { overflow: auto; max-height: 640px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 8px; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; }
thead th { position: sticky; top: 0; background: #fff; }
th:first-child, td:first-child { text-align: left; }
.matrix td { min-width: 40px; text-align: center; border: 1px solid #fff; }
.matrix thead th { padding: 4px 2px; vertical-align: bottom; text-align: center; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.chip { display: inline-block; width: 11px; height: 11px; margin-right: 6px; border-radius: 3px; }
pre { margin: 8px 0 0; padding: 12px; overflow: auto; max-height: 520px; background: var(--back);
  border-radius: 6px; font-size: 12.5px; line-height: 1.4; }
summary { cursor: pointer; color: var(--accent); }
@media (max-width: 460px) { .grid:not(.small) { grid-template-columns: 1fr; }
  section { padding: 14px 12px; } }
@media print { body { background: #fff; } .scroll, pre { max-height: none; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole page, of parts that are HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def section(title: str, *parts: str, note: str = "") -> str:
    """A titled box of parts that are HTML; `note` is text."""
    below = f'<p class="soft">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{below}{''.join(parts)}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls in its box. Cells are HTML, heads are text."""
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def tiles(figures: Iterable[tuple[str, str]]) -> str:
    """Large figures with their names, (name, figure)."""
    ones = (
        f'<div class="tile"><b>{escape(value)}</b><span class="soft">{escape(name)}</span></div>'
        for name, value in figures
    )
    return f'<div class="tiles">{"".join(ones)}</div>'


def figure(content: str, caption: str) -> str:
    """Content that is HTML, above a text."""
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def picture(image: Image.Image, alt: str, *, max_size: tuple[int, int] = (480, 400)) -> str:
    """The image itself, as a JPEG inside the page, at most `max_size` (width, height) pixels."""
    image = image.convert("RGB")
    image.thumbnail(max_size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, optimize=True)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    width, height = image.size
    return (
        f'<img src="data:image/jpeg;base64,{data}" alt="{escape(alt)}" width="{width}" '
        f'height="{height}">'
    )


def decimal(value: float, digits: int = 3) -> str:
    """A figure, or a dash where it is undefined."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"  # noqa: RUF001
