"""Places the things of `shape_kinds` in a picture, front to back, and paints them back to front.

The layout decides every annotation. It rests on integer arithmetic over points rounded to 1/16
pixel and on a random stream of its own, so that it is the same on every platform and under every
version of the libraries; painting is allowed to differ in the last bit.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vitdet.datasets.shape_kinds import CLUTTER, KINDS, Kind, Pixels, band, between, colour, mix

SUBPIXEL = 16  # points lie on a grid of 1/16 pixel
SIDES = (0.08, 0.5)  # of a thing's visible box, as shares of the image
SIDES_ALONE = (0.3, 0.95)  # where it is the only one
LEAST_VISIBLE = 0.3  # what shows less is not placed: nobody would label it
MARGIN = 2  # pixels that the shadow of a thing is softer, and so wider, than the thing


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
        return float(np.count_nonzero(self.visible) / np.count_nonzero(self.whole))


def fill_polygon(points: NDArray[np.integer], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Pixels of a box whose centres lie inside a closed polygon, by the even-odd rule, exactly.

    points: (T, 2) x, y in 1/16 pixel. Each edge flips all pixels to the right of where it crosses a
    row; a running parity along the row then tells inside from outside.
    """
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    x, y = np.concatenate([points, points[:1]]).T
    row_centre = np.arange(top * SUBPIXEL + SUBPIXEL // 2, bottom * SUBPIXEL, SUBPIXEL)
    above = y[:, None] <= row_centre  # (T + 1, height)
    edge, row = (above[1:] != above[:-1]).nonzero()
    x0, y0 = x[edge], y[edge]
    run = y[1:][edge] - y0
    crossing = (x0 - SUBPIXEL // 2) * run + (row_centre[row] - y0) * (x[1:][edge] - x0)
    first_right = crossing // (run * SUBPIXEL) + (1 - left)
    first_right = np.minimum(np.maximum(first_right, 0), width)
    # Edges cross a row an even number of times: the parity needs no fresh start in the next row,
    # whose first pixel may just as well be flipped by what lies to the right of this one.
    flips = np.bincount(row * width + first_right, minlength=height * width)[: height * width]
    inside = np.bitwise_xor.accumulate(flips.astype(np.uint8)) & 1
    return inside.view(bool).reshape(height, width)


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
    points, bounds, to_frame = _pose(rng, kind, size, sides=sides, near=_neighbour(rng, placed))
    x0, y0, x1, y1 = bounds
    if label is not None and (min(x0, y0) < 0 or max(x1, y1) > size * SUBPIXEL):
        return False
    left, top = max(x0 // SUBPIXEL, 0), max(y0 // SUBPIXEL, 0)
    right, bottom = min(-(-x1 // SUBPIXEL), size), min(-(-y1 // SUBPIXEL), size)
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


def _neighbour(rng: Generator, placed: list[Placed]) -> tuple[float, float] | None:
    """Things gather: seven in ten stand near one that is there already."""
    things = [thing for thing in placed if thing.label is not None]
    if not things or rng.random() < 0.3:
        return None
    x0, y0, x1, y1 = things[rng.integers(len(things))].box
    angle, distance = between(rng, 0, 2 * math.pi), between(rng, 0.4, 0.9)
    return (
        (x0 + x1) / 2 + distance * ((x1 - x0) * math.cos(angle)),
        (y0 + y1) / 2 + distance * ((y1 - y0) * math.sin(angle)),
    )


def _pose(
    rng: Generator,
    kind: Kind,
    size: int,
    *,
    sides: tuple[float, float],
    near: tuple[float, float] | None,
) -> tuple[NDArray[np.integer], tuple[int, int, int, int], NDArray[np.floating]]:
    """Mirror, turn, scale and shift an outline: its points (T, 2) in 1/16 pixel, their least and
    greatest x and y, and the way back."""
    outline = kind.outline(rng)
    angle = between(rng, -kind.tilt, kind.tilt)
    cos, sin = math.cos(angle), math.sin(angle)
    side = 1 if rng.random() < 0.5 else -1
    points = np.array([[side * cos, -sin], [side * sin, cos]]) @ outline
    (x0, y0), (x1, y1) = points.min(axis=1).tolist(), points.max(axis=1).tolist()
    least = 1.5 * sides[0]
    longest = size * least * (sides[1] / least) ** rng.random()
    scale = longest / max(x1 - x0, y1 - y0)
    if near is None:
        half_width, half_height = (x1 - x0) * scale / 2, (y1 - y0) * scale / 2
        near = (
            half_width + rng.random() * (size - 2 * half_width),
            half_height + rng.random() * (size - 2 * half_height),
        )
    dx, dy = near[0] - (x0 + x1) * scale / 2, near[1] - (y0 + y1) * scale / 2
    to_frame = cv2.invertAffineTransform(
        np.array([[side * cos * scale, -sin * scale, dx], [side * sin * scale, cos * scale, dy]])
    )
    # To scale and to round keeps the order, so that the extremes are still those of the outline.
    fine = scale * SUBPIXEL
    bounds = tuple(
        round(value * fine + shift * SUBPIXEL)
        for value, shift in ((x0, dx), (y0, dy), (x1, dx), (y1, dy))
    )
    points *= fine
    points += [[dx * SUBPIXEL], [dy * SUBPIXEL]]
    return np.rint(points, out=points).astype(np.int64).T, bounds, to_frame


def _is_worth_a_label(
    visible: NDArray[np.bool_], whole: NDArray[np.bool_], size: int, sides: tuple[float, float]
) -> bool:
    if np.count_nonzero(visible) < LEAST_VISIBLE * np.count_nonzero(whole):
        return False
    width, height = cv2.boundingRect(visible.view(np.uint8))[2:]
    return min(width, height) >= sides[0] * size and max(width, height) <= sides[1] * size


def paint(placed: list[Placed], rng: Generator, size: int) -> NDArray[np.uint8]:
    """The picture (size, size, 3) in BGR: ground, things from back to front, light, noise."""
    sun = rng.uniform(-1, 1, 2)
    canvas = _ground(rng, size)
    for thing in reversed(placed):
        _paint_thing(canvas, thing, rng, sun)
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    light = between(rng, 0.75, 1.1) + 0.5 * (sun[0] * ramp + sun[1] * ramp[:, None])
    tint = 255 * rng.uniform(0.88, 1.08, 3).astype(np.float32)
    # A few grey levels of noise: bytes are the cheapest to draw, the sum of two is soft enough.
    one, other = np.frombuffer(rng.bytes(2 * canvas.size), np.uint8).reshape(2, *canvas.shape)
    noise = np.add(one, other, dtype=np.uint16).astype(np.float32)
    noise -= 255
    noise *= between(rng, 1, 6) / 105
    planes = []
    for plane, share, grain in zip(canvas, tint, noise, strict=True):  # what the cache can hold
        lit = light * share
        lit *= plane.astype(np.float64)
        lit += grain.astype(np.float64)
        planes.append(np.clip(lit, 0, 255, out=lit).astype(np.uint8))
    return cv2.merge(planes[::-1])


def _paint_thing(
    canvas: NDArray[np.floating], thing: Placed, rng: Generator, sun: NDArray[np.floating]
) -> None:
    """A shadow away from the sun, then the texture, shaded towards the rim, with a soft edge."""
    x0, y0, x1, y1 = thing.box
    longest = max(x1 - x0, y1 - y0)
    mask = np.zeros((y1 - y0 + 2 * MARGIN, x1 - x0 + 2 * MARGIN), np.float32)
    mask[MARGIN:-MARGIN, MARGIN:-MARGIN] = thing.whole
    shadow = cv2.blur(mask, (5, 5), borderType=cv2.BORDER_CONSTANT)
    dx, dy = round(-3 * float(sun[0])), round(-3 * float(sun[1]))
    below, part = _overlap(canvas, shadow.shape, x0 - MARGIN + dx, y0 - MARGIN + dy)
    below *= 1 - between(rng, 0.2, 0.55) * shadow[part]

    mask = mask[1:-1, 1:-1]  # the soft edge is one pixel wide
    below, part = _overlap(canvas, mask.shape, x0 - 1, y0 - 1)
    xs = np.arange(x0 - 1, x1 + 1, dtype=np.float32)[part[1]] + 0.5
    ys = np.arange(y0 - 1, y1 + 1, dtype=np.float32)[part[0], None] + 0.5
    (a, b, c), (d, e, f) = thing.to_frame.tolist()
    # Arithmetic is quickest on long rows: the pixels are laid end to end.
    x, y = (a * xs + b * ys).ravel(), (d * xs + e * ys).ravel()
    x += c
    y += f
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)[part].ravel()
    depth /= longest
    texture = thing.kind.texture(Pixels(x, y, depth), rng)
    shade = ((xs - (x0 + x1) / 2) * sun[0] + (ys - (y0 + y1) / 2) * sun[1]).ravel()
    shade *= 0.3
    shade /= longest
    shade += 0.75
    shade += 1.5 * np.minimum(depth, 0.15)
    edge = cv2.blur(mask, (3, 3), borderType=cv2.BORDER_CONSTANT)[part].ravel()
    # `shade` is float64. To convert first is quicker than to mix the types in the arithmetic.
    old, new = (colours.astype(np.float64).reshape(3, -1) for colours in (below, texture))
    new *= shade
    new -= old
    new *= edge.astype(np.float64)
    new += old
    below[:] = new.reshape(below.shape)


def _overlap(
    canvas: NDArray[np.floating], shape: tuple[int, int], left: int, top: int
) -> tuple[NDArray[np.floating], tuple[slice, slice]]:
    """What a patch at (left, top) covers of the canvas (3, H, W), and that part of the patch."""
    height, width = canvas.shape[1:]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + shape[1], width), min(top + shape[0], height)
    return canvas[:, y0:y1, x0:x1], np.s_[y0 - top : y1 - top, x0 - left : x1 - left]


def _ground(rng: Generator, size: int) -> NDArray[np.floating]:
    """Sand, grass, gravel, planks …: noise of several grains, perhaps drawn out, perhaps ruled."""
    dark, light = (colour(rng, (0, 1), vivid=between(rng, 0, 0.5)) for _ in range(2))
    noise = np.zeros((size, size), dtype=np.float32)
    stretch = (1, 1, 3, 6)[rng.integers(4)]
    for grain, strength in ((4, 0.5), (12, 0.5), (40, between(rng, 0.1, 0.8))):
        coarse = rng.random((grain, max(grain // stretch, 2)), np.float32)
        noise += strength * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        ruling = np.arange(size) * between(rng, 0.15, 0.5)
        noise += between(rng, 0.2, 0.6) * band(np.sin(ruling), 0.9, 0.1)[:, None]
    if rng.random() < 0.5:
        noise = noise.T
    least = noise.min()
    weight = np.clip((noise - least) / (noise.max() - least), 0, 1)
    return mix(dark, light, weight.ravel()).astype(np.float32).reshape(3, size, size)
