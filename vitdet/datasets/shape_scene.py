"""Places the things of `shape_kinds` in a picture, front to back, and paints them back to front.

The layout decides every annotation. It rests on integer arithmetic over points rounded to 1/16
pixel and on a random stream of its own, so that it is the same on every platform and under every
version of the libraries; painting is allowed to differ in the last bit.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vitdet.datasets.shape_kinds import CLUTTER, KINDS, Kind, Pixels, band, colour, mix

SUBPIXEL = 16  # points lie on a grid of 1/16 pixel
SIDES = (0.08, 0.5)  # of a thing's visible box, as shares of the image
SIDES_ALONE = (0.3, 0.95)  # where it is the only one
LEAST_VISIBLE = 0.3  # what shows less is not placed: nobody would label it
MARGIN = 6  # pixels painted around a thing, for its soft edge and its shadow


@dataclass(frozen=True)
class Placed:
    """One thing in the picture.

    label: index into KINDS, None for clutter. box: x0, y0, x1, y1 in pixels, around its whole
    outline; `whole` and `visible` are masks of that box. to_frame: (2, 3), from pixels to the frame
    of its kind.
    """

    kind: Kind
    label: int | None
    box: tuple[int, int, int, int]
    whole: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    to_frame: NDArray[np.floating]

    @property
    def visibility(self) -> float:
        return float(self.visible.sum() / self.whole.sum())


def fill_polygon(points: NDArray[np.integer], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Pixels of a box whose centres lie inside a closed polygon, by the even-odd rule, exactly.

    points: (T, 2) x, y in 1/16 pixel. Each edge flips all pixels to the right of where it crosses a
    row; a running parity along the row then tells inside from outside.
    """
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    x0, y0 = points[:, 0], points[:, 1]
    x1, y1 = np.concatenate([points[1:], points[:1]]).T
    row_centre = np.arange(top, bottom) * SUBPIXEL + SUBPIXEL // 2
    above = y0[:, None] <= row_centre  # (T, height)
    edge, row = np.nonzero(above != np.concatenate([above[1:], above[:1]]))
    run = (y1 - y0)[edge]
    crossing = (x0[edge] - SUBPIXEL // 2) * run + (row_centre[row] - y0[edge]) * (x1 - x0)[edge]
    first_right = (crossing // (run * SUBPIXEL) + 1 - left).clip(0, width)
    flips = np.bincount(row * (width + 1) + first_right, minlength=height * (width + 1))
    inside = np.logical_xor.accumulate(flips.reshape(height, width + 1) % 2 == 1, axis=1)
    return inside[:, :width]


def lay_out(rng: Generator, size: int) -> list[Placed]:
    """A picture of `size` x `size` pixels: blades in front, 3 to 8 things, clutter behind them."""
    taken = np.zeros((size, size), dtype=bool)
    placed: list[Placed] = []
    for _ in range(rng.integers(0, 3)):
        _place(rng, taken, placed, kind=CLUTTER[2], label=None)
    num_things, num_wanted = 0, rng.integers(3, 9)
    for _ in range(20 * num_wanted):
        label = int(rng.integers(len(KINDS)))
        num_things += _place(rng, taken, placed, kind=KINDS[label], label=label)
        if num_things == num_wanted:
            break
    for _ in range(rng.integers(3, 8)):
        _place(rng, taken, placed, kind=CLUTTER[rng.integers(len(CLUTTER))], label=None)
    return placed


def lay_out_one(rng: Generator, size: int, *, label: int) -> list[Placed]:
    """A picture of one thing, large in it, with perhaps a blade in front and clutter behind."""
    taken = np.zeros((size, size), dtype=bool)
    placed: list[Placed] = []
    if rng.random() < 0.5:
        _place(rng, taken, placed, kind=CLUTTER[2], label=None)
    while not _place(rng, taken, placed, kind=KINDS[label], label=label, sides=SIDES_ALONE):
        pass
    for _ in range(rng.integers(0, 4)):
        _place(rng, taken, placed, kind=CLUTTER[rng.integers(len(CLUTTER))], label=None)
    return placed


def _place(
    rng: Generator,
    taken: NDArray[np.bool_],
    placed: list[Placed],
    *,
    kind: Kind,
    label: int | None,
    sides: tuple[float, float] = SIDES,
) -> bool:
    """Try one place behind everything in `placed`; says whether the thing went there."""
    size = len(taken)
    points, to_frame = _pose(rng, kind, size, sides=sides, near=_neighbour(rng, placed))
    if label is not None and (points.min() < 0 or points.max() > size * SUBPIXEL):
        return False
    left, top = (int(value) for value in np.maximum(points.min(axis=0) // SUBPIXEL, 0))
    right, bottom = (int(v) for v in np.minimum(-(-points.max(axis=0) // SUBPIXEL), size))
    if right <= left or bottom <= top:
        return False
    box, crop = (left, top, right, bottom), np.s_[top:bottom, left:right]
    whole = fill_polygon(points, box)
    visible = whole & ~taken[crop]
    if label is not None and not _is_worth_a_label(visible, whole, size, sides):
        return False
    if not visible.any():
        return False
    taken[crop] |= whole
    placed.append(Placed(kind, label, box, whole, visible, to_frame))
    return True


def _neighbour(rng: Generator, placed: list[Placed]) -> NDArray[np.floating] | None:
    """Things gather: seven in ten stand near one that is there already."""
    things = [thing for thing in placed if thing.label is not None]
    if not things or rng.random() < 0.3:
        return None
    x0, y0, x1, y1 = things[rng.integers(len(things))].box
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.9)
    reach = distance * np.array([(x1 - x0) * np.cos(angle), (y1 - y0) * np.sin(angle)])
    return np.array([x0 + x1, y0 + y1]) / 2 + reach


def _pose(
    rng: Generator,
    kind: Kind,
    size: int,
    *,
    sides: tuple[float, float],
    near: NDArray[np.floating] | None,
) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
    """Mirror, turn, scale and shift an outline: its points in 1/16 pixel, and the way back."""
    outline = kind.outline(rng)
    angle = rng.uniform(-kind.tilt, kind.tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn * (1 if rng.random() < 0.5 else -1, 1)
    points = outline @ turn.T
    low, high = points.min(axis=0), points.max(axis=0)
    least = 1.5 * sides[0]
    longest = size * least * (sides[1] / least) ** rng.random()
    scale = longest / (high - low).max()
    half = (high - low) * scale / 2
    centre = near if near is not None else half + rng.random(2) * (size - 2 * half)
    shift = centre - (low + high) * scale / 2
    from_frame = np.concatenate([turn * scale, shift[:, None]], axis=1)
    subpixels = np.rint((points * scale + shift) * SUBPIXEL).astype(np.int64)
    return subpixels, cv2.invertAffineTransform(from_frame)


def _is_worth_a_label(
    visible: NDArray[np.bool_], whole: NDArray[np.bool_], size: int, sides: tuple[float, float]
) -> bool:
    if visible.sum() < LEAST_VISIBLE * whole.sum():
        return False
    width, height = (np.ptp(np.nonzero(visible.any(axis=axis))[0]) + 1 for axis in (0, 1))
    return min(width, height) >= sides[0] * size and max(width, height) <= sides[1] * size


def paint(placed: list[Placed], rng: Generator, size: int) -> NDArray[np.uint8]:
    """The picture (size, size, 3) in RGB: ground, things from back to front, light, noise."""
    sun = rng.uniform(-1, 1, 2)
    canvas = np.pad(_ground(rng, size), ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="edge")
    for thing in reversed(placed):
        _paint_thing(canvas, thing, rng, sun)
    picture = canvas[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    light = rng.uniform(0.75, 1.1) + 0.5 * (sun[0] * ramp + sun[1] * ramp[:, None])
    tint = 255 * rng.uniform(0.88, 1.08, (3, 1, 1)).astype(np.float32)
    # A few grey levels of noise: bytes are the cheapest to draw, the sum of two is soft enough.
    noise = rng.integers(0, 256, (2, *picture.shape), np.uint8).astype(np.float32).sum(axis=0)
    picture = picture * (light * tint) + (noise - 255) * (rng.uniform(1, 6) / 105)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8).transpose(1, 2, 0)


def _paint_thing(
    canvas: NDArray[np.floating], thing: Placed, rng: Generator, sun: NDArray[np.floating]
) -> None:
    """A shadow away from the sun, then the texture, shaded towards the rim, with a soft edge."""
    x0, y0, x1, y1 = thing.box
    crop = canvas[:, y0 : y1 + 2 * MARGIN, x0 : x1 + 2 * MARGIN]
    mask = np.zeros(crop.shape[1:], np.float32)
    mask[MARGIN:-MARGIN, MARGIN:-MARGIN] = thing.whole
    dx, dy = (int(value) for value in np.rint(-3 * sun))
    shadow = cv2.blur(np.roll(mask, (dy, dx), axis=(0, 1)), (5, 5))
    crop *= 1 - rng.uniform(0.2, 0.55) * shadow

    xs = np.arange(x0 - MARGIN, x1 + MARGIN, dtype=np.float32) + 0.5
    ys = np.arange(y0 - MARGIN, y1 + MARGIN, dtype=np.float32)[:, None] + 0.5
    (a, b, c), (d, e, f) = thing.to_frame.astype(np.float32)
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) / max(x1 - x0, y1 - y0)
    at = Pixels(a * xs + b * ys + c, d * xs + e * ys + f, depth)
    texture = thing.kind.texture(at, rng)
    facing = (xs - (x0 + x1) / 2) * sun[0] + (ys - (y0 + y1) / 2) * sun[1]
    shade = 0.75 + 0.3 * facing / max(x1 - x0, y1 - y0) + 1.5 * np.minimum(depth, 0.15)
    crop[:] = mix(crop, texture * shade, cv2.blur(mask, (3, 3)))


def _ground(rng: Generator, size: int) -> NDArray[np.floating]:
    """Sand, grass, gravel, planks …: noise of several grains, perhaps drawn out, perhaps ruled."""
    dark, light = (colour(rng, (0, 1), vivid=rng.uniform(0, 0.5)) for _ in range(2))
    noise = np.zeros((size, size), dtype=np.float32)
    stretch = rng.choice((1, 1, 3, 6))
    for grain, strength in ((4, 0.5), (12, 0.5), (40, rng.uniform(0.1, 0.8))):
        coarse = rng.random((grain, max(grain // stretch, 2)), np.float32)
        noise += strength * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        ruling = np.arange(size) * rng.uniform(0.15, 0.5)
        noise += rng.uniform(0.2, 0.6) * band(np.sin(ruling), 0.9, 0.1)[:, None]
    if rng.random() < 0.5:
        noise = noise.T
    weight = np.clip((noise - noise.min()) / np.ptp(noise), 0, 1)
    return mix(dark, light, weight).astype(np.float32)
