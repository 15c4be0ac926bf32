"""What the generated `shapes` data set shows: six kinds of things, and clutter that is none.

A kind is an outline and a texture, both drawn afresh for every thing. Outlines are closed polygons
in a frame of the thing's own (x to the right, y down, about -1 .. 1), textures are functions of the
same frame, so that they turn with the thing. Colours overlap between kinds: none is told by it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.floating]
WHITE, BLACK = np.ones((3, 1, 1), np.float32), np.zeros((3, 1, 1), np.float32)


@dataclass(frozen=True)
class Pixels:
    """Where the pixels of one thing lie: x, y in its own frame and its depth; each (H, W).

    depth: distance to the outline as a share of the thing's longer side, 0 outside.
    """

    x: Floats
    y: Floats
    depth: Floats


@dataclass(frozen=True)
class Kind:
    """One class of things; `tilt` is how far (radians, either way) it turns from upright."""

    name: str
    outline: Callable[[Generator], Floats]  # -> (T, 2) points
    texture: Callable[[Pixels, Generator], Floats]  # -> (3, H, W) RGB in 0 .. 1
    tilt: float


def colour(rng: Generator, hue: tuple[float, float], *, vivid: float = 0.75) -> Floats:
    """A colour (3, 1, 1) from a range of hues in turns; one in four is of any hue."""
    turn = rng.uniform(*hue) if rng.random() < 0.75 else rng.random()
    saturation = min(max(vivid + rng.uniform(-0.25, 0.2), 0), 1)
    value = rng.uniform(0.55, 1.0)
    ramp = [min(max(abs((turn * 6 + k) % 6 - 3) - 1, 0), 1) for k in (0, 4, 2)]
    return np.array([[[value * (1 - saturation * (1 - part))]] for part in ramp], np.float32)


def mix(below: Floats, above: Floats, weight: Floats) -> Floats:
    """Blend two colours, each (3, 1, 1) or (3, H, W), by a weight (H, W) in 0 .. 1."""
    return below + (above - below) * weight


def band(value: Floats, threshold: float = 0.0, softness: float = 0.25) -> Floats:
    """A soft step: 0 where `value` is well below the threshold, 1 where it is well above."""
    step = (value - threshold) * (1 / softness) + 0.5
    return np.minimum(np.maximum(step, 0, out=step), 1, out=step)


def _turn(num_points: int) -> Floats:
    return np.arange(num_points) * (2 * np.pi / num_points)


def _polar(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


# --- ball: a disc of coloured sectors around a pole ------------------------------------------


def _ball_outline(rng: Generator) -> Floats:
    return _polar(np.ones(40), _turn(40)) * (1, rng.uniform(0.9, 1))


def _ball_texture(at: Pixels, rng: Generator) -> Floats:
    pole = rng.uniform(-0.4, 0.4, 2)
    x, y = at.x - pole[0], at.y - pole[1]
    sectors = np.sin(np.arctan2(y, x) * rng.integers(2, 5) + rng.uniform(0, 6.3))
    panels = mix(colour(rng, (0, 1)), colour(rng, (0, 1), vivid=0.2), band(sectors))
    return mix(panels, colour(rng, (0, 1)), band(0.05 - x * x - y * y, 0, 0.03))


# --- starfish: five blunt arms, rows of pale grains ------------------------------------------


def _starfish_outline(rng: Generator) -> Floats:
    angle = _turn(60)
    waist, bluntness = rng.uniform(0.32, 0.46), rng.uniform(1.0, 1.6)
    arms = np.repeat(rng.uniform(0.85, 1.0, 5), 12)
    radius = waist + (arms - waist) * np.abs(np.sin(2.5 * angle)) ** bluntness
    return _polar(radius, angle + rng.uniform(-0.25, 0.25) * radius)


def _starfish_texture(at: Pixels, rng: Generator) -> Floats:
    grain = rng.uniform(13, 18)
    grains = np.sin(grain * at.x) * np.sin(grain * at.y)
    skin = mix(colour(rng, (0.95, 1.12)), colour(rng, (0.0, 0.15), vivid=0.3), band(grains, 0.35))
    return skin * (0.7 + 2.5 * np.minimum(at.depth, 0.12))


# --- leaf: a toothed, pointed oval with a stalk, a midrib and side veins ----------------------


def _leaf_outline(rng: Generator) -> Floats:
    along = np.linspace(0, 1, 24)
    width = rng.uniform(0.38, 0.6) * np.sin(np.pi * along**0.8) ** rng.uniform(0.8, 1.2)
    width = width * (1 + rng.uniform(0.05, 0.16) * (np.arange(24) % 2)) + 0.03
    bend = rng.uniform(-0.2, 0.2) * np.sin(np.pi * along)
    x = 1.6 * along - 0.7
    stalk = np.array([[-1.0, 0.05], [-1.0, -0.04]])
    upper, lower = np.stack([x, bend - width], 1), np.stack([x, bend + width], 1)
    return np.concatenate([stalk, upper, lower[::-1]])


def _leaf_texture(at: Pixels, rng: Generator) -> Floats:
    blade, rib = colour(rng, (0.08, 0.4)), colour(rng, (0.1, 0.25), vivid=0.35)
    veins = np.sin(rng.uniform(13, 17) * (at.x - rng.uniform(0.5, 0.9) * np.abs(at.y)))
    blade = mix(blade, rib, 0.6 * band(veins, 0.6))
    blade = mix(blade, blade * 0.7, band(at.y, 0, 0.1))
    return mix(blade, rib, band(0.06 - np.abs(at.y), 0, 0.04))


# --- fish: a body with fins and a forked tail, scales or stripes, an eye ----------------------


def _fish_outline(rng: Generator) -> Floats:
    along = np.linspace(0, 1, 14)
    body = rng.uniform(0.32, 0.48) * np.sin(np.pi * along**0.75) ** 0.75 + 0.06
    fin = rng.uniform(0.08, 0.24) * np.clip(1 - np.abs(along - 0.45) / 0.25, 0, 1)
    x = 1.5 * along - 1
    fork = rng.uniform(0.3, 0.5)
    tail = np.array([[0.95, -fork], [rng.uniform(0.65, 0.8), 0.0], [0.95, fork]])
    upper, lower = np.stack([x, -body - fin], 1), np.stack([x, body + 0.6 * fin], 1)
    return np.concatenate([upper, tail, lower[::-1]])


def _fish_texture(at: Pixels, rng: Generator) -> Floats:
    back, belly = colour(rng, (0.0, 1.0)), colour(rng, (0.0, 1.0), vivid=0.2)
    if rng.random() < 0.5:
        pattern = band(np.sin(rng.uniform(8, 13) * at.x + rng.uniform(0, 6)), 0.1)
    else:
        grain = rng.uniform(14, 18)
        pattern = band(np.cos(grain * at.x) + np.cos(grain * at.y), 0.5, 0.6) * 0.8
    skin = mix(mix(back, belly, band(at.y, 0.15, 0.5)), back * 0.35, pattern * band(-at.y, -0.2))
    off_eye = (at.x + 0.68) ** 2 + (at.y + 0.06) ** 2
    skin = mix(skin, WHITE, band(0.018 - off_eye, 0, 0.01))
    return mix(skin, BLACK, band(0.007 - off_eye, 0, 0.006))


# --- mushroom: a spotted cap on a pale stem ----------------------------------------------------


def _mushroom_outline(rng: Generator) -> Floats:
    arc = np.linspace(np.pi, 2 * np.pi, 20)
    height, brim = rng.uniform(0.75, 1.15), rng.uniform(0.0, 0.25)
    cap = np.stack([np.cos(arc), brim + height * np.sin(arc)], 1)
    top, foot, length = rng.uniform(0.22, 0.34), rng.uniform(0.24, 0.45), rng.uniform(0.65, 1.0)
    stem = [[top, 0.12], [foot, length], [0, length + 0.08], [-foot, length], [-top, 0.12]]
    return np.concatenate([cap, [[0.8, 0.18]], stem, [[-0.8, 0.18]]])


def _mushroom_texture(at: Pixels, rng: Generator) -> Floats:
    cap, pale = colour(rng, (0.95, 1.15)), colour(rng, (0.05, 0.18), vivid=0.25)
    spots = rng.uniform((-0.85, -0.85), (0.85, 0.0), (7, 2))
    distance = np.min([(at.x - x) ** 2 + (at.y - y) ** 2 for x, y in spots], axis=0)
    cap = mix(cap, pale, band(rng.uniform(0.012, 0.03) - distance, 0, 0.01))
    stem = mix(pale, pale * 0.75, band(np.sin(30 * at.x), 0.3))
    return mix(cap, stem, band(at.y - 0.13 + 0.1 * at.x**2, 0, 0.06))


# --- butterfly: four wings with dark rims and eye spots, a slender body -------------------------


def _butterfly_outline(rng: Generator) -> Floats:
    angle = np.linspace(-np.pi / 2, np.pi / 2, 32)
    rise, fall = rng.uniform(0.5, 0.7), rng.uniform(0.7, 0.95)
    upper_wing = np.exp(-(((angle + rise) / 0.6) ** 4))
    lower_wing = rng.uniform(0.65, 0.85) * np.exp(-(((angle - fall) / 0.55) ** 4))
    radius = 0.2 + 0.8 * np.maximum(upper_wing, lower_wing)
    right = _polar(radius, angle) + np.array([0.05, 0])
    return np.concatenate([right, right[::-1] * (-1, 1)])


def _butterfly_texture(at: Pixels, rng: Generator) -> Floats:
    wing, dark = colour(rng, (0.0, 0.7)), colour(rng, (0.0, 1.0)) * rng.uniform(0.05, 0.3)
    x = np.abs(at.x)
    rays = np.sin(np.arctan2(at.y, x + 0.05) * rng.uniform(9, 13))
    wing = mix(wing, dark, 0.7 * band(rays, 0.75))
    wing = mix(dark, wing, band(at.depth, rng.uniform(0.03, 0.06), 0.03))
    off_spot = (x - rng.uniform(0.45, 0.6)) ** 2 + (at.y + rng.uniform(0.3, 0.5)) ** 2
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


def _stone_outline(rng: Generator) -> Floats:
    angle = _turn(24)
    radius = 0.85 + sum(
        rng.uniform(0, 0.16) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5)
    )
    return _polar(radius, angle) * (1, rng.uniform(0.45, 0.9))


def _shard_outline(rng: Generator) -> Floats:
    angle = np.sort(_turn(4) + rng.uniform(0, 1.3, 4))[: rng.integers(3, 5)]
    return _polar(rng.uniform(0.6, 1, len(angle)), angle)


def _blade_outline(rng: Generator) -> Floats:
    along = np.linspace(-1, 1, 12)
    bend = rng.uniform(-0.35, 0.35) * along**2
    width = rng.uniform(0.03, 0.09) * (1.15 - along)
    upper, lower = np.stack([along, bend - width], 1), np.stack([along, bend + width], 1)
    return np.concatenate([upper, lower[::-1]])


def _clutter_texture(at: Pixels, rng: Generator) -> Floats:
    kind, grain, phase = rng.integers(4), rng.uniform(4, 16), rng.uniform(0, 6.3)
    waves = np.sin(grain * at.x + phase)
    if kind < 2:
        weight = at.depth
    else:
        weight = band(waves) if kind == 2 else band(waves * np.sin(grain * at.y), 0.2)
    vivid = rng.uniform(0.1, 0.75)
    return mix(colour(rng, (0, 1), vivid=vivid), colour(rng, (0, 1), vivid=vivid), weight)


CLUTTER = (
    Kind("stone", _stone_outline, _clutter_texture, tilt=np.pi),
    Kind("shard", _shard_outline, _clutter_texture, tilt=np.pi),
    Kind("blade", _blade_outline, _clutter_texture, tilt=np.pi),
)
