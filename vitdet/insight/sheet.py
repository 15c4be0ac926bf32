"""Pictures with captions, as one PNG or one page."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from vitdet.errors import UserError
from vitdet.visualization.page import figure, page, picture, section

_GAP = 10  # pixels between panels
_FONT_SIZES = {"title": 19, "caption": 15}


class Panel(NamedTuple):
    """A picture and what it shows."""

    image: Image.Image
    caption: str


class Group(NamedTuple):
    """Panels that belong together, such as those of one image."""

    title: str
    panels: Sequence[Panel]


def draw_sheet(groups: Sequence[Group], *, columns: int) -> Image.Image:
    """All panels on one picture, group below group, at most `columns` side by side.

    Pictures keep their size; captions are broken into lines as wide as these.
    """
    blocks = [_draw_group(group, columns) for group in groups]
    width = max(block.width for block in blocks)
    sheet = Image.new("RGB", (width, sum(block.height for block in blocks)), "white")
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


def write_sheet(
    groups: Sequence[Group],
    *,
    title: str,
    note: str,
    columns: int,
    out: str | Path | None,
    html: str | Path | None,
) -> list[Path]:
    """Write the panels to a PNG `out`, a self-contained page `html`, or both; returns the files.

    Raises UserError if there is nothing to write, or if a file cannot be written.
    """
    if not groups:
        raise UserError(f"{title}: there is nothing to draw")
    written = []
    if out is not None:
        written.append(_prepared(out, (".png", ".jpg", ".jpeg"), "--out"))
        draw_sheet(groups, columns=columns).save(written[-1], optimize=True)
    if html is not None:
        written.append(write_page(html, title=title, note=note, parts=map(html_section, groups)))
    return written


def write_page(html: str | Path, *, title: str, note: str, parts: Iterable[str]) -> Path:
    """Write a page of sections that are HTML, and return its path. Raises as `write_sheet`."""
    path = _prepared(html, (".html", ".htm"), "--html")
    head = f'<h1>{escape(title)}</h1><p class="soft">{escape(note)}</p>'
    path.write_text(page(title, [head, *parts]), "utf-8")
    return path


def html_section(group: Group) -> str:
    """A group as a section of a page."""
    figures = [figure(picture(panel.image, panel.caption), panel.caption) for panel in group.panels]
    return section(group.title, f'<div class="grid">{"".join(figures)}</div>')


def _prepared(path: str | Path, suffixes: Sequence[str], option: str) -> Path:
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path}: its name has to end in {' or '.join(suffixes)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{option} {path}: {error.strerror}; name another file") from None
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder; name a file")
    return path


def _draw_group(group: Group, columns: int) -> Image.Image:
    """The panels of a group under its title."""
    fonts = {name: ImageFont.load_default(size=size) for name, size in _FONT_SIZES.items()}
    line = sum(fonts["caption"].getmetrics()) + 2
    words = [word for panel in group.panels for word in panel.caption.split()]
    cell = max(
        *(panel.image.width for panel in group.panels),
        *(math.ceil(fonts["caption"].getlength(word)) for word in words),
    )
    lines = [_broken(panel.caption, fonts["caption"], cell) for panel in group.panels]
    places = range(0, len(group.panels), columns)
    heights = [
        max(p.image.height for p in group.panels[i : i + columns])
        + line * max(len(one) for one in lines[i : i + columns])
        + _GAP
        for i in places
    ]
    header = sum(fonts["title"].getmetrics()) + _GAP if group.title else _GAP // 2
    width = min(columns, len(group.panels)) * (cell + _GAP) + _GAP
    width = max(width, round(fonts["title"].getlength(group.title)) + 2 * _GAP)
    block = Image.new("RGB", (width, header + sum(heights)), "white")
    pen = ImageDraw.Draw(block)
    pen.text((_GAP, _GAP // 2), group.title, fill="black", font=fonts["title"])
    top = header
    for row, height in zip(places, heights, strict=True):
        for column, panel in enumerate(group.panels[row : row + columns]):
            left = _GAP + column * (cell + _GAP)
            block.paste(panel.image, (left, top))
            below = top + panel.image.height + 1
            for number, text in enumerate(lines[row + column]):
                place = left, below + number * line
                pen.text(place, text, fill=(60, 60, 60), font=fonts["caption"])
        top += height
    return block


def _broken(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The text in lines of at most `width` pixels, where words allow it."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
