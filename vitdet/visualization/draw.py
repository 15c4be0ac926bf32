"""Boxes, masks and labels drawn onto an image."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vitdet.visualization.colours import Colour, class_colour, text_colour


class Chip(NamedTuple):
    """A label's filled rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Chip") -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)


class Label(NamedTuple):
    """A text on its colour."""

    text: str
    colour: Colour
    font_size: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of its chip."""
        font = ImageFont.load_default(size=self.font_size)
        return (
            font.getlength(self.text) + 2 * self._padding,
            sum(font.getmetrics()) + self._padding,
        )

    @property
    def _padding(self) -> int:
        return max(2, self.font_size // 5)

    def write(self, pen: ImageDraw.ImageDraw, chip: Chip) -> None:
        """Fill the chip and write the text on it."""
        pen.rounded_rectangle(chip, radius=self._padding, fill=self.colour)
        corner = chip.left + self._padding, chip.top + self._padding / 2
        font = ImageFont.load_default(size=self.font_size)
        pen.text(corner, self.text, font=font, fill=text_colour(self.colour))


def size_of_font(side: float, size: tuple[int, int]) -> int:
    """Smaller for small things, not to hide what is named, but legible.

    Args:
        side: of the thing, in pixels.
        size: (width, height) of the picture.
    """
    relative = float(np.clip(8 * side / min(size), 0.65, 1))
    return max(9, round(relative * min(size) / 38))


def draw_instances(
    image: np.ndarray,
    boxes: np.ndarray,
    *,
    labels: np.ndarray,
    class_names: Sequence[str],
    scores: np.ndarray | None = None,
    masks: np.ndarray | None = None,
    scale: float = 1,
    mask_opacity: float = 0.45,
) -> Image.Image:
    """Draw objects onto a copy of the image, the smallest on top, labels where they fit.

    Args:
        image: (H, W, 3) uint8, RGB.
        boxes: (N, 4) xyxy in pixels of the image.
        labels: (N,) places in `class_names`; a class has one colour in all pictures.
        class_names: name of each class.
        scores: (N,) written behind the names.
        masks: (N, H, W) bool.
        scale: the picture's size over the image's; enlarge small images to read their labels.
        mask_opacity: 0 to 1.
    """
    height, width = round(scale * image.shape[0]), round(scale * image.shape[1])
    canvas = np.array(image, order="C")  # a copy: arrays from elsewhere may be read-only
    if (height, width) != image.shape[:2]:
        how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        canvas = cv2.resize(canvas, (width, height), interpolation=how)
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4) * scale
    line_width = max(1, round(min(height, width) / 280))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-areas, kind="stable")
    colours = [class_colour(int(label)) for label in labels]
    if masks is not None:
        for i in order:
            draw_mask(canvas, masks[i], colours[i], opacity=mask_opacity, line_width=line_width)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    for i in order:
        # Beside a mask's outline, a box is only there to show its extent.
        draw_box(pen, boxes[i], colours[i], line_width if masks is None else 1, picture.size)
    texts = [str(class_names[label]) for label in labels]
    if scores is not None:
        texts = [f"{text} {score:.2f}" for text, score in zip(texts, scores, strict=True)]
    draw_labels(pen, [(texts[i], boxes[i], colours[i]) for i in order], picture.size)
    return picture


def draw_mask(
    canvas: np.ndarray, mask: np.ndarray, colour: Colour, *, opacity: float, line_width: int
) -> None:
    """Tint and outline mask: (H, W) bool on canvas: (H', W', 3), in place."""
    height, width = canvas.shape[:2]
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    if mask.shape != (height, width):  # resized as shades of grey, edges come out smooth
        mask = cv2.resize(255 * mask, (width, height), interpolation=cv2.INTER_LINEAR) // 128
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return
    patch, inside = canvas[y : y + h, x : x + w], mask[y : y + h, x : x + w] > 0
    patch[inside] = (1 - opacity) * patch[inside] + opacity * np.array(colour)
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, colour, line_width, cv2.LINE_AA)


def draw_box(
    pen: ImageDraw.ImageDraw,
    box: np.ndarray,
    colour: Colour,
    line_width: int,
    size: tuple[int, int],
) -> None:
    """Draw box: (4,) xyxy in pixels of a picture of this size, (width, height)."""
    # Edges at the border are drawn inside it, where they can be seen.
    left, top = (float(np.clip(v, 0, s - 1)) for v, s in zip(box[:2], size, strict=True))
    right, bottom = (float(np.clip(v, 0, s - 1)) for v, s in zip(box[2:], size, strict=True))
    pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=line_width)


def draw_labels(
    pen: ImageDraw.ImageDraw,
    labels: Sequence[tuple[str, np.ndarray, Colour]],
    size: tuple[int, int],
) -> None:
    """Write each (text, box, colour) at its box: inside the picture, apart from the others."""
    placed: list[Chip] = []
    # Labels of small objects are placed first, they have the fewest places to go, and are written
    # smaller, not to hide what they name.
    for text, box, colour in reversed(labels):
        side = np.sqrt(max(box[2] - box[0], 1) * max(box[3] - box[1], 1))
        label = Label(text, colour, size_of_font(side, size))
        chip = _place(box, *label.size, size, placed)
        placed.append(chip)
        label.write(pen, chip)


def _place(
    box: np.ndarray, width: float, height: float, size: tuple[int, int], placed: Sequence[Chip]
) -> Chip:
    """The first corner of the box, above, inside, then below, where the label covers no other."""
    left, top, right, bottom = box
    corners = [
        (x, y)
        for y in (top - height, top, bottom - height, bottom)
        for x in (left, right - width)
        if y >= 0 and y + height <= size[1]
    ]
    chips = []
    for x, y in corners or [(left, top)]:
        x = min(max(x, 0), max(size[0] - width, 0))
        y = min(max(y, 0), max(size[1] - height, 0))
        chips.append(Chip(x, y, x + width, y + height))
    return min(chips, key=lambda chip: sum(chip.overlap(other) for other in placed))
