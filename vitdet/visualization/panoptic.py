"""Panoptic maps drawn onto an image."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from vitdet.set_prediction.postprocess import INSTANCE_OFFSET
from vitdet.visualization.colours import Colour, class_colour
from vitdet.visualization.draw import Chip, Label, draw_mask, size_of_font

_SHADES = (0.0, 0.35, -0.3)  # how much lighter, or darker, things of a class follow each other
_NUM_PLACES = 4  # where in a segment its label may stand


def draw_panoptic(
    image: np.ndarray,
    panoptic: np.ndarray,
    *,
    class_names: Sequence[str],
    scale: float = 1,
    opacity: float = 0.5,
) -> Image.Image:
    """Tint and outline the segments on a copy of the image, and name each once, inside it.

    A class has the colour that it has in all pictures, its instances different shades of it. What
    belongs to no class stays as it is.

    Args:
        image: (H, W, 3) uint8, RGB.
        panoptic: (H, W) class + 1000 * instance.
        class_names: name of each class.
        scale: the picture's size over the image's; enlarge small images to read their labels.
        opacity: 0 to 1.
    """
    height, width = round(scale * image.shape[0]), round(scale * image.shape[1])
    canvas = np.array(image, order="C")
    if (height, width) != image.shape[:2]:
        canvas = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_CUBIC)
        panoptic = cv2.resize(
            panoptic.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
    line_width = max(1, round(min(height, width) / 400))
    segments = []
    for number in np.unique(panoptic).tolist():
        instance, label = divmod(number, INSTANCE_OFFSET)
        if label < len(class_names):
            colour = _shaded(class_colour(label), _SHADES[max(instance - 1, 0) % len(_SHADES)])
            mask = panoptic == number
            draw_mask(canvas, mask, colour, opacity=opacity, line_width=line_width)
            segments.append((mask, str(class_names[label]), colour))
    picture = Image.fromarray(canvas)
    _draw_labels(ImageDraw.Draw(picture), segments, picture.size)
    return picture


def _shaded(colour: Colour, shade: float) -> Colour:
    """Mix with white for a positive, with black for a negative share."""
    other = 255 if shade > 0 else 0
    red, green, blue = (round(c + abs(shade) * (other - c)) for c in colour)
    return red, green, blue


def _draw_labels(
    pen: ImageDraw.ImageDraw,
    segments: Sequence[tuple[np.ndarray, str, Colour]],
    size: tuple[int, int],
) -> None:
    """Write each segment's name within it, where it covers no other's; small segments first."""
    placed: list[Chip] = []
    for mask, name, colour in sorted(segments, key=lambda segment: int(segment[0].sum())):
        places = list(_deepest_places(mask))
        label = Label(name, colour, size_of_font(2 * places[0][1], size))
        width, height = label.size
        chips = []
        for (x, y), _ in places:
            left = min(max(x - width / 2, 0), max(size[0] - width, 0))
            top = min(max(y - height / 2, 0), max(size[1] - height, 0))
            chips.append(Chip(left, top, left + width, top + height))
        chip = min(chips, key=lambda chip: sum(chip.overlap(other) for other in placed))
        placed.append(chip)
        label.write(pen, chip)


def _deepest_places(mask: np.ndarray) -> Iterator[tuple[tuple[int, int], float]]:
    """Points (x, y) far inside mask: (H, W), and from each other, with how far; deepest first."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    inside = np.pad(mask[y : y + height, x : x + width].astype(np.uint8), 1)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    for _ in range(_NUM_PLACES):
        _, depth, _, (column, row) = cv2.minMaxLoc(distance)
        if depth == 0:
            return
        yield (x + column - 1, y + row - 1), depth
        cv2.circle(distance, (column, row), max(1, round(depth)), 0, -1)
