"""The generated data set `shape_images`: one thing in each image, the class is its kind.

    root/
      {train,val}/<class>/*.jpg
      shapes.json                 the arguments it was generated with

The things are those of the data set `shapes`, of the same size in pixels, so that what a backbone
learns here helps a detector there.
"""

import os
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from vitdet.datasets.generated import ensure_generated, map_on_all_cores
from vitdet.datasets.image_folder import ImageFolder
from vitdet.datasets.shape_kinds import KINDS
from vitdet.datasets.shape_scene import lay_out_one, paint
from vitdet.registry import DATASETS

_VERSION = 1  # to be raised when the same arguments give other data


@DATASETS.register_module()
class ShapeImages(ImageFolder):
    """An `ImageFolder` whose files are generated when they are not there."""

    @staticmethod
    def prepare(data_root: str | os.PathLike[str]) -> None:
        """Generate the data at `data_root`; `vitdet.engine.load_config` calls this."""
        ensure_shape_images(data_root)


def ensure_shape_images(
    root: str | os.PathLike[str],
    *,
    num_train: int = 6000,
    num_val: int = 600,
    image_size: int = 80,
    seed: int = 0,
) -> Path:
    """Generate the data set at `root` unless it is there; several processes may do so at once.

    Classes take turns, so that each has its share of `num_train` and `num_val`.

    Raises:
        UserError: `root` exists and is no generated data set.
    """
    sizes = dict(num_train=num_train, num_val=num_val, image_size=image_size, seed=seed)

    def generate(folder: Path) -> None:
        for split, num_images in (("train", num_train), ("val", num_val)):
            for kind in KINDS:
                (folder / split / kind.name).mkdir(parents=True)
            write = partial(_write_image, folder / split, image_size, (seed, split == "val"))
            map_on_all_cores(write, range(num_images))

    return ensure_generated(root, dict(kind="shape_images", version=_VERSION, **sizes), generate)


def _write_image(folder: Path, size: int, stream: tuple[int, bool], number: int) -> None:
    rng = np.random.default_rng((*stream, number))
    label = number % len(KINDS)
    picture = paint(lay_out_one(rng, size, label=label), rng, size)
    path = folder / KINDS[label].name / f"{number:05d}.jpg"
    cv2.imwrite(str(path), picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 92))
