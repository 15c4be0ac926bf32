"""The images that a model is timed on."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vitdet.datasets.image_sources import images_of
from vitdet.datasets.images import read_image
from vitdet.datasets.shape_scene import lay_out, paint

_PAINTED = 4


def photos_of(paths: Sequence[str | Path], size: tuple[int, int]) -> list[np.ndarray]:
    """(H, W, 3) uint8 RGB of `size` (W, H) each: the photos given, stretched, or painted scenes.

    Raises UserError if one cannot be read.
    """
    if not paths:
        rng, side = np.random.default_rng(0), max(size)
        scenes = (paint(lay_out(rng, side), rng, side) for _ in range(_PAINTED))
        return [np.ascontiguousarray(scene[: size[1], : size[0], ::-1]) for scene in scenes]
    photos = []
    for source in images_of(list(paths)):
        is_file = isinstance(source.image, Path)
        pixels = read_image(source.image) if is_file else source.image
        photos.append(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    return photos
