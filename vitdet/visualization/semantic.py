"""Maps of classes: tinted onto an image, explained by a legend, written as index PNG."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vitdet.visualization.colours import Colour, class_colour

_FONT_SIZES = range(18, 8, -1)
_BACKGROUND = (70, 70, 70)
_GAP = 6  # pixels between the parts of a legend


class LegendEntry(NamedTuple):
    """A class that a map has: its name, colour and, if it is told, share of the pixels, 0 to 1."""

    name: str
    colour: Colour
    share: float | None = None


def class_colours(metainfo: Mapping[str, Any]) -> list[Colour]:
    """Colour of each class: those that the data set is known by, or else ours.

    metainfo: of a data set, with `classes` and perhaps `palette`. mmseg fills in random colours
    where there are none; these are not used. A class `background` is grey, and the others have the
    colours that they have without it, as in drawings of objects.
    """
    names = metainfo["classes"]
    palette = metainfo.get("palette") or ()
    filled_in = np.random.RandomState(42).randint(0, 255, size=(len(names), 3)).tolist()
    if len(palette) == len(names) and [list(colour) for colour in palette] != filled_in:
        return [tuple(int(value) for value in colour) for colour in palette]
    ours = (class_colour(label) for label in count())
    return [_BACKGROUND if name.lower() == "background" else next(ours) for name in names]


def draw_semantic(
    image: np.ndarray,
    labels: np.ndarray,
    *,
    class_names: Sequence[str],
    colours: Sequence[Colour],
    scale: float = 1,
) -> Image.Image:
    """Tint the image by class, with a legend below it. Arguments are those of `tint`, beside

    class_names: name of each class.
    """
    picture = tint(image, labels, colours, scale=scale)
    entries = legend_entries([labels], class_names, colours)
    below = draw_legend(entries, (picture.width, max(40, picture.height // 3)))
    sheet = Image.new("RGB", (picture.width, picture.height + below.height), "white")
    sheet.paste(picture)
    sheet.paste(below, (0, picture.height))
    return sheet


def tint(
    image: np.ndarray,
    labels: np.ndarray,
    colours: Sequence[Colour],
    *,
    scale: float = 1,
    opacity: float = 0.55,
) -> Image.Image:
    """Lay the colours of classes over a copy of the image, with a line between classes.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) class of each pixel; what is no place in `colours` stays untinted.
        colours: of each class.
        scale: the picture's size over the image's.
        opacity: 0 to 1.
    """
    height, width = round(scale * image.shape[0]), round(scale * image.shape[1])
    if (height, width) != image.shape[:2]:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        labels = cv2.resize(
            labels.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
    is_class = (labels >= 0) & (labels < len(colours))
    paint = np.array(colours, np.float32)[np.where(is_class, labels, 0)]
    strength = np.where(is_class, opacity, 0).astype(np.float32)[..., None]
    canvas = image * (1 - strength) + paint * strength
    edges = np.zeros((height, width), bool)
    edges[:-1] |= labels[:-1] != labels[1:]
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    canvas[edges] = canvas[edges] * 0.35  # dark, whatever the colours beside it
    return Image.fromarray(canvas.round().astype(np.uint8))


def legend_entries(
    maps: Sequence[np.ndarray], class_names: Sequence[str], colours: Sequence[Colour]
) -> list[LegendEntry]:
    """The classes that any of `maps` (H, W) has, largest first; of one map with their shares."""
    number = len(class_names)
    pixels = sum(np.bincount(one[(one >= 0) & (one < number)], minlength=number) for one in maps)
    order = np.argsort(-pixels, kind="stable")
    return [
        LegendEntry(
            class_names[label],
            colours[label],
            float(pixels[label] / maps[0].size) if len(maps) == 1 else None,
        )
        for label in order
        if pixels[label]
    ]


def draw_legend(entries: Sequence[LegendEntry], size: tuple[int, int]) -> Image.Image:
    """A table of colours and names in columns, as wide as `size` and at most as high.

    Letters are as large as they can be; where even the smallest leave no room, the last classes
    are only counted.
    """
    for font_size in _FONT_SIZES:
        font = ImageFont.load_default(size=font_size)
        row_height = sum(font.getmetrics()) + 2
        texts = [entry.name + _percent(entry.share) for entry in entries]
        widest = max((font.getlength(text) for text in texts), default=0)
        column_width = min(size[0], int(widest) + row_height + 2 * _GAP)
        num_columns = max(1, size[0] // column_width)
        if -(-len(entries) // num_columns) * row_height + 2 * _GAP <= size[1]:
            break
    room = num_columns * max(1, (size[1] - 2 * _GAP) // row_height)
    if len(entries) > room:
        texts[room - 1 :] = [f"and {len(entries) - room + 1} more"]
    num_rows = -(-len(texts) // num_columns)
    picture = Image.new("RGB", (size[0], num_rows * row_height + 2 * _GAP), "white")
    pen = ImageDraw.Draw(picture)
    for place, text in enumerate(texts):
        column, row = divmod(place, max(num_rows, 1))
        x, y = _GAP + column * column_width, _GAP + row * row_height
        if place < room - 1 or len(entries) <= room:
            square = (x, y + 1, x + row_height - 4, y + row_height - 3)
            pen.rectangle(square, fill=entries[place].colour, outline=(90, 90, 90))
        pen.text((x + row_height + 2, y), text, font=font, fill="black")
    return picture


def index_png(labels: np.ndarray, colours: Sequence[Colour]) -> Image.Image:
    """The map itself as a palette image: the value of a pixel is its class.

    labels: (H, W), 0 to 255. Values beyond `colours` are black.
    """
    picture = Image.fromarray(labels.astype(np.uint8), mode="P")
    palette = [value for colour in colours for value in colour]
    picture.putpalette(palette + [0] * (768 - len(palette)))  # a short one would cost bits
    return picture


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f" {100 * share:.0f} %" if share >= 0.01 else " <1 %"
