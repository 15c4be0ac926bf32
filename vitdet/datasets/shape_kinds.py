"""What the generated `shapes` data set shows: six kinds of things, and clutter that is none.

A kind is an outline and a texture, both drawn afresh for every thing. Outlines are closed polygons
in a frame of the thing's own (x to the right, y down, about -1 .. 1), textures are functions of the
same frame, so that they turn with the thing. Colours overlap between kinds: none is told by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.floating]
WHITE, BLACK = np.ones((3, 1), np.float32), np.zeros((3, 1), np.float32)


@dataclass(frozen=True)
class Pixels:
    """Where pixels of one thing lie: x, y in its own frame and its depth; each (N,).

    depth: distance to the outline as a share of the thing's longer side, 0 outside.
    """

    x: Floats
    y: Floats
    depth: Floats


@dataclass(frozen=True)
class Kind:
    """One class of things; `tilt` is how far (radians, either way) it turns from upright."""

    name: str
    outline: Callable[[Generator], Floats]  # -> (2, T) points
    texture: Callable[[Pixels, Generator], Floats]  # -> (3, N) RGB in 0 .. 1
    tilt: float


def between(rng: Generator, low: float, high: float) -> float:
    """`rng.uniform(low, high)`, the same number in half the time."""
    return low + (high - low) * rng.random()


def colour(rng: Generator, hue: tuple[float, float], *, vivid: float = 0.75) -> Floats:
    """A colour (3, 1) from a range of hues in turns; one in four is of any hue."""
    turn = between(rng, *hue) if rng.random() < 0.75 else rng.random()
    saturation = min(max(vivid + between(rng, -0.25, 0.2), 0), 1)
    value = between(rng, 0.55, 1.0)
    ramp = [abs((turn * 6 + k) % 6 - 3) - 1 for k in (0, 4, 2)]
    parts = [0 if part < 0 else 1 if part > 1 else part for part in ramp]
    channels = [value * (1 - saturation * (1 - part)) for part in parts]
    return np.array(channels, np.float32)[:, None]


def mix(below: Floats, above: Floats, weight: Floats) -> Floats:
    """Blend two colours, each (3, 1) or (3, N), by a weight (N,) in 0 .. 1."""
    blend = (above - below) * weight
    blend += below
    return blend


def band(value: Floats, threshold: float = 0.0, softness: float = 0.25) -> Floats:
    """A soft step: 0 where `value` is well below the threshold, 1 where it is well above."""
    step = value - threshold
    step *= 1 / softness
    step += 0.5
    return np.minimum(np.maximum(step, 0, out=step), 1, out=step)


def _turn(num_points: int) -> Floats:
    return np.arange(num_points) * (2 * np.pi / num_points)


def _rays(angle: Floats) -> Floats:
    """Unit vectors (2, T): a radius times its rays is an outline in polar coordinates."""
    return np.array([np.cos(angle), np.sin(angle)])


def _round_trip(x: Floats, upper: Floats, lower: Floats) -> Floats:
    """Points (2, 2 T) along an upper edge and back along a lower one."""
    return np.array([np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]])])


# --- ball: a disc of coloured sectors around a pole ------------------------------------------


_BALL_RAYS = _rays(_turn(40))


def _ball_outline(rng: Generator) -> Floats:
    return _BALL_RAYS * [[1], [between(rng, 0.9, 1)]]


def _ball_texture(at: Pixels, rng: Generator) -> Floats:
    pole = rng.uniform(-0.4, 0.4, 2)
    x, y = at.x - pole[0], at.y - pole[1]
    sectors = np.sin(np.arctan2(y, x) * rng.integers(2, 5) + between(rng, 0, 6.3))
    panels = mix(colour(rng, (0, 1)), colour(rng, (0, 1), vivid=0.2), band(sectors))
    return mix(panels, colour(rng, (0, 1)), band(0.05 - x * x - y * y, 0, 0.03))


# --- starfish: five blunt arms, rows of pale grains ------------------------------------------


_STARFISH_TURN = _turn(60)
_STARFISH_ARMS = np.abs(np.sin(2.5 * _STARFISH_TURN))


def _starfish_outline(rng: Generator) -> Floats:
    waist, bluntness = between(rng, 0.32, 0.46), between(rng, 1.0, 1.6)
    arms = np.repeat(rng.uniform(0.85, 1.0, 5), 12)
    radius = waist + (arms - waist) * _STARFISH_ARMS**bluntness
    return radius * _rays(_STARFISH_TURN + between(rng, -0.25, 0.25) * radius)


def _starfish_texture(at: Pixels, rng: Generator) -> Floats:
    grain = between(rng, 13, 18)
    grains = np.sin(grain * at.x) * np.sin(grain * at.y)
    skin = mix(colour(rng, (0.95, 1.12)), colour(rng, (0.0, 0.15), vivid=0.3), band(grains, 0.35))
    return skin * (0.7 + 2.5 * np.minimum(at.depth, 0.12))


# --- leaf: a toothed, pointed oval with a stalk, a midrib and side veins ----------------------


_LEAF_ALONG = np.linspace(0, 1, 24)
_LEAF_OVAL = np.sin(np.pi * _LEAF_ALONG**0.8)
_LEAF_TEETH = np.arange(24) % 2
_LEAF_BEND = np.sin(np.pi * _LEAF_ALONG)
_LEAF_STALK = np.array([[-1.0, -1.0], [0.05, -0.04]])


def _leaf_outline(rng: Generator) -> Floats:
    width = between(rng, 0.38, 0.6) * _LEAF_OVAL ** between(rng, 0.8, 1.2)
    width = width * (1 + between(rng, 0.05, 0.16) * _LEAF_TEETH) + 0.03
    bend = between(rng, -0.2, 0.2) * _LEAF_BEND
    blade = _round_trip(1.6 * _LEAF_ALONG - 0.7, bend - width, bend + width)
    return np.concatenate([_LEAF_STALK, blade], axis=1)


def _leaf_texture(at: Pixels, rng: Generator) -> Floats:
    blade, rib = colour(rng, (0.08, 0.4)), colour(rng, (0.1, 0.25), vivid=0.35)
    veins = np.sin(between(rng, 13, 17) * (at.x - between(rng, 0.5, 0.9) * np.abs(at.y)))
    blade = mix(blade, rib, 0.6 * band(veins, 0.6))
    blade = mix(blade, blade * 0.7, band(at.y, 0, 0.1))
    return mix(blade, rib, band(0.06 - np.abs(at.y), 0, 0.04))


# --- fish: a body with fins and a forked tail, scales or stripes, an eye ----------------------


_FISH_ALONG = np.linspace(0, 1, 14)
_FISH_BODY = np.sin(np.pi * _FISH_ALONG**0.75) ** 0.75
_FISH_FIN = np.clip(1 - np.abs(_FISH_ALONG - 0.45) / 0.25, 0, 1)


def _fish_outline(rng: Generator) -> Floats:
    body = between(rng, 0.32, 0.48) * _FISH_BODY + 0.06
    fin = between(rng, 0.08, 0.24) * _FISH_FIN
    x = 1.5 * _FISH_ALONG - 1
    fork = between(rng, 0.3, 0.5)
    tail = [[0.95, between(rng, 0.65, 0.8), 0.95], [-fork, 0.0, fork]]
    upper, lower = [x, -body - fin], [x[::-1], (body + 0.6 * fin)[::-1]]
    return np.concatenate([upper, tail, lower], axis=1)


def _fish_texture(at: Pixels, rng: Generator) -> Floats:
    back, belly = colour(rng, (0.0, 1.0)), colour(rng, (0.0, 1.0), vivid=0.2)
    if rng.random() < 0.5:
        pattern = band(np.sin(between(rng, 8, 13) * at.x + between(rng, 0, 6)), 0.1)
    else:
        grain = between(rng, 14, 18)
        pattern = band(np.cos(grain * at.x) + np.cos(grain * at.y), 0.5, 0.6) * 0.8
    skin = mix(mix(back, belly, band(at.y, 0.15, 0.5)), back * 0.35, pattern * band(-at.y, -0.2))
    off_eye = (at.x + 0.68) ** 2 + (at.y + 0.06) ** 2
    skin = mix(skin, WHITE, band(0.018 - off_eye, 0, 0.01))
    return mix(skin, BLACK, band(0.007 - off_eye, 0, 0.006))


# --- mushroom: a spotted cap on a pale stem ----------------------------------------------------


_MUSHROOM_CAP = _rays(np.linspace(np.pi, 2 * np.pi, 20))


def _mushroom_outline(rng: Generator) -> Floats:
    height, brim = between(rng, 0.75, 1.15), between(rng, 0.0, 0.25)
    cap = _MUSHROOM_CAP * [[1], [height]] + [[0], [brim]]
    top, foot, length = between(rng, 0.22, 0.34), between(rng, 0.24, 0.45), between(rng, 0.65, 1.0)
    stem = [
        [0.8, top, foot, 0, -foot, -top, -0.8],
        [0.18, 0.12, length, length + 0.08, length, 0.12, 0.18],
    ]
    return np.concatenate([cap, stem], axis=1)


def _mushroom_texture(at: Pixels, rng: Generator) -> Floats:
    cap, pale = colour(rng, (0.95, 1.15)), colour(rng, (0.05, 0.18), vivid=0.25)
    spots = rng.uniform((-0.85, -0.85), (0.85, 0.0), (7, 2))
    distance = reduce(np.minimum, ((at.x - x) ** 2 + (at.y - y) ** 2 for x, y in spots))
    cap = mix(cap, pale, band(between(rng, 0.012, 0.03) - distance, 0, 0.01))
    stem = mix(pale, pale * 0.75, band(np.sin(30 * at.x), 0.3))
    return mix(cap, stem, band(at.y - 0.13 + 0.1 * at.x**2, 0, 0.06))


# --- butterfly: four wings with dark rims and eye spots, a slender body -------------------------


_BUTTERFLY_TURN = np.linspace(-np.pi / 2, np.pi / 2, 32)
_BUTTERFLY_RAYS = _rays(_BUTTERFLY_TURN)


def _butterfly_outline(rng: Generator) -> Floats:
    rise, fall = between(rng, 0.5, 0.7), between(rng, 0.7, 0.95)
    upper_wing = np.exp(-(((_BUTTERFLY_TURN + rise) / 0.6) ** 4))
    lower_wing = between(rng, 0.65, 0.85) * np.exp(-(((_BUTTERFLY_TURN - fall) / 0.55) ** 4))
    right = (0.2 + 0.8 * np.maximum(upper_wing, lower_wing)) * _BUTTERFLY_RAYS + [[0.05], [0]]
    return np.concatenate([right, right[:, ::-1] * [[-1], [1]]], axis=1)


def _butterfly_texture(at: Pixels, rng: Generator) -> Floats:
    wing, dark = colour(rng, (0.0, 0.7)), colour(rng, (0.0, 1.0)) * between(rng, 0.05, 0.3)
    x = np.abs(at.x)
    rays = np.sin(np.arctan2(at.y, x + 0.05) * between(rng, 9, 13))
    wing = mix(wing, dark, 0.7 * band(rays, 0.75))
    wing = mix(dark, wing, band(at.depth, between(rng, 0.03, 0.06), 0.03))
    off_spot = (x - between(rng, 0.45, 0.6)) ** 2 + (at.y + between(rng, 0.3, 0.5)) ** 2
    wing = mix(wing, colour(rng, (0.0, 1.0), vivid=0.4), band(0.02 - off_spot, 0, 0.01))
    return mix(wing, dark * 0.6, band(0.07 - x, 0, 0.04))


KINDS = (
    Kind("ball", _ball_outline, _ball_texture, tilt=np.pi),
    Kind("butterfly", _butterfly_outline, _butterfly_texture, tilt=0.9),
    Kind("fish", _fish_outline, _fish_texture, tilt=0.7),
    Kind("leaf", _leaf_outline, _leaf_texture, tilt=np.pi),
    Kind("mushroom", _mushroom_outline, _mushroom_texture, tilt=0.5),
    Kind("starfish", _starfish_outline, _starfish_texture, tilt=np.pi),
)


# --- clutter: stones, shards and blades, plain or in any of a few common patterns ---------------


_STONE_TURN = _turn(24)
_STONE_RAYS = _rays(_STONE_TURN)


def _stone_outline(rng: Generator) -> Floats:
    radius = 0.85 + sum(
        between(rng, 0, 0.16) * np.cos(k * _STONE_TURN + between(rng, 0, 6.3)) for k in (2, 3, 5)
    )
    return radius * _STONE_RAYS * [[1], [between(rng, 0.45, 0.9)]]


_SHARD_TURN = _turn(4)


def _shard_outline(rng: Generator) -> Floats:
    angle = np.sort(_SHARD_TURN + rng.uniform(0, 1.3, 4))[: rng.integers(3, 5)]
    return rng.uniform(0.6, 1, len(angle)) * _rays(angle)


_BLADE_ALONG = np.linspace(-1, 1, 12)


def _blade_outline(rng: Generator) -> Floats:
    bend = between(rng, -0.35, 0.35) * _BLADE_ALONG**2
    width = between(rng, 0.03, 0.09) * (1.15 - _BLADE_ALONG)
    return _round_trip(_BLADE_ALONG, bend - width, bend + width)


def _clutter_texture(at: Pixels, rng: Generator) -> Floats:
    kind, grain, phase = rng.integers(4), between(rng, 4, 16), between(rng, 0, 6.3)
    if kind < 2:
        weight = at.depth
    else:
        waves = np.sin(grain * at.x + phase)
        weight = band(waves) if kind == 2 else band(waves * np.sin(grain * at.y), 0.2)
    vivid = between(rng, 0.1, 0.75)
    return mix(colour(rng, (0, 1), vivid=vivid), colour(rng, (0, 1), vivid=vivid), weight)


CLUTTER = (
    Kind("stone", _stone_outline, _clutter_texture, tilt=np.pi),
    Kind("shard", _shard_outline, _clutter_texture, tilt=np.pi),
    Kind("blade", _blade_outline, _clutter_texture, tilt=np.pi),
)
