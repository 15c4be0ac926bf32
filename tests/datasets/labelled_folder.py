"""A folder of images and label files, small enough to be written for each test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 20)  # width, height


def write_folder(
    root: Path,
    *,
    values: Sequence[int] = (0, 1, 2),
    names: Sequence[str] | None = ("sky", "road", "car"),
    ending: str = "",
) -> Path:
    """`images/{train,val}`, `masks/{train,val}` of 3 and 2 files, in which all `values` occur."""
    rng = np.random.default_rng(0)
    for split, number in (("train", 3), ("val", 2)):
        for folder in ("images", "masks"):
            (root / folder / split).mkdir(parents=True, exist_ok=True)
        for k in range(number):
            pixels = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"images/{split}/{k}.jpg")
            labels = rng.permutation(np.resize(np.uint8(values), SIZE[0] * SIZE[1]))
            Image.fromarray(labels.reshape(SIZE[::-1])).save(
                root / f"masks/{split}/{k}{ending}.png"
            )
    if names is not None:
        (root / "classes.txt").write_text("\n".join(names) + "\n")
    return root
