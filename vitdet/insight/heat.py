"""Maps of shares laid over an image."""

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from vitdet.insight.token_layout import Grid
from vitdet.visualization.colours import Colour

_DIMMED = 0.45  # how bright the image is beneath the heat
_MARK: Colour = (0, 255, 255)


def to_pixels(shares: Tensor, grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """Lay (H, W) shares of a map's tokens out on the pixels that these stand for.

    Args:
        shares: of the tokens.
        grid: their map.
        size: (h, w) of the image in the model's input; what lies beyond it is padding. Pixels at
            the bottom and right that no token stands for get 0.

    Returns:
        (h, w) float32.
    """
    large = shares.repeat_interleave(grid.stride, 0).repeat_interleave(grid.stride, 1)
    pixels = torch.zeros(size)
    height, width = min(size[0], large.shape[0]), min(size[1], large.shape[1])
    pixels[:height, :width] = large[:height, :width]
    return pixels.numpy()


def draw_heat(image: np.ndarray, heat: np.ndarray, *, side: int) -> Image.Image:
    """Lay heat over a darkened, colourless copy of the image: black is none, white the most.

    Args:
        image: (h, w, 3) uint8 RGB.
        heat: (h, w), not negative; shown over its largest value.
        side: pixels of the picture's longer side.
    """
    scale = side / max(image.shape[:2])
    size = max(round(scale * image.shape[1]), 1), max(round(scale * image.shape[0]), 1)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, size, interpolation=_interpolation(scale))[..., None].astype(np.float32)
    # The edges of tokens stay sharp: what is between them, the model does not tell.
    heat = cv2.resize(heat.astype(np.float32), size, interpolation=cv2.INTER_NEAREST_EXACT)
    heat = heat / max(float(heat.max()), 1e-12)
    colours = cv2.applyColorMap((255 * heat).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = np.sqrt(heat)[..., None]  # weak heat can be seen, too
    canvas = _DIMMED * grey * (1 - strength) + colours[..., ::-1] * (0.15 + 0.85 * strength)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8))


def colour_map(values: np.ndarray, side: int) -> Image.Image:
    """(h, w) values from 0 to 1 as colours, the longer side of the picture with `side` pixels."""
    colours = cv2.applyColorMap((255 * values).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    return resized(np.ascontiguousarray(colours[..., ::-1]), side)


def resized(image: np.ndarray, side: int, *, smooth: bool = True) -> Image.Image:
    """(h, w, 3) uint8 RGB as a picture whose longer side has `side` pixels."""
    scale = side / max(image.shape[:2])
    size = max(round(scale * image.shape[1]), 1), max(round(scale * image.shape[0]), 1)
    how = _interpolation(scale) if smooth else cv2.INTER_NEAREST_EXACT
    return Image.fromarray(cv2.resize(image, size, interpolation=how))


def mark_point(picture: Image.Image, point: tuple[float, float]) -> None:
    """Draw a ring around a point, (x, y) as shares of the picture's sides, in place."""
    x, y = point[0] * picture.width, point[1] * picture.height
    radius = max(4, min(picture.size) // 40)
    pen = ImageDraw.Draw(picture)
    for colour, grown in (((0, 0, 0), 1), (_MARK, 0)):
        ring = (x - radius - grown, y - radius - grown, x + radius + grown, y + radius + grown)
        pen.ellipse(ring, outline=colour, width=2 + 2 * grown)


def mark_box(picture: Image.Image, box: np.ndarray, colour: Colour) -> None:
    """Draw a box, xyxy as shares of the picture's sides, in place."""
    width, height = picture.size
    left, top, right, bottom = np.clip(np.asarray(box, float), 0, 1) * (
        *(width - 1, height - 1, width - 1, height - 1),
    )
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=3)


def _interpolation(scale: float) -> int:
    return cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
