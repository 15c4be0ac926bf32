"""The generated data set `shapes`: overlapping, partly hidden things in clutter.

    root/
      train.json  val.json        COCO: boxes and masks (RLE) of what is visible of each thing
      images/{train,val}/*.jpg
      masks/{train,val}/*.png     semantic: 0 is background, other values are category ids
      classes.txt                 line k, counting from 0, names value k of the masks
      shapes.json                 the arguments it was generated with

It is the embedded default, so that a first training needs no download. The same arguments give the
same annotations everywhere. Beside COCO's own keys an annotation has `visibility`, the share of the
thing's area that is not hidden.
"""

import json
import os
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from vitdet.datasets.generated import ensure_generated, map_on_all_cores
from vitdet.datasets.shape_kinds import KINDS
from vitdet.datasets.shape_scene import Placed, lay_out, paint

CLASSES = tuple(kind.name for kind in KINDS)

SHAPES_VERSION = 2  # to be raised when the same arguments give other data


def ensure_shapes(
    root: str | os.PathLike[str],
    *,
    num_train: int = 1000,
    num_val: int = 100,
    image_size: int = 160,
    seed: int = 0,
) -> Path:
    """Generate the data set at `root` unless it is there; several processes may do so at once.

    Raises:
        UserError: `root` exists and is no generated data set.
    """
    sizes = dict(num_train=num_train, num_val=num_val, image_size=image_size, seed=seed)
    return ensure_generated(
        root, dict(version=SHAPES_VERSION, **sizes), lambda folder: generate_shapes(folder, **sizes)
    )


def generate_shapes(
    root: str | os.PathLike[str],
    *,
    num_train: int = 1000,
    num_val: int = 100,
    image_size: int = 160,
    seed: int = 0,
) -> Path:
    """Write the data set into `root`, whatever is there already; square images of `image_size`."""
    root = Path(root)
    for folder in ("images/train", "images/val", "masks/train", "masks/val"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(("background", *CLASSES)) + "\n")
    splits = {"train": num_train, "val": num_val}
    names = [(split, k) for split, number in splits.items() for k in range(1, number + 1)]
    things = iter(map_on_all_cores(partial(_write_image, root, image_size, seed), names))
    for split, num_images in splits.items():
        annotations = list(chain.from_iterable(islice(things, num_images)))
        coco = dict(
            images=[
                dict(id=k, file_name=f"{k:05d}.jpg", width=image_size, height=image_size)
                for k in range(1, num_images + 1)
            ],
            annotations=[dict(id=k, **thing) for k, thing in enumerate(annotations, start=1)],
            categories=[dict(id=k, name=name) for k, name in enumerate(CLASSES, start=1)],
        )
        (root / f"{split}.json").write_text(json.dumps(coco))
    return root


def _write_image(root: Path, size: int, seed: int, name: tuple[str, int]) -> list[dict[str, Any]]:
    """Draw one image (its split and number) and its semantic mask; returns its annotations, as yet
    without an id."""
    split, image_id = name
    # One stream for what is annotated, one for what is only seen: the former is frozen.
    entropy = (seed, ("train", "val").index(split), image_id)
    layout_rng, paint_rng = np.random.default_rng(entropy).spawn(2)
    placed = lay_out(layout_rng, size)
    picture = paint(placed, paint_rng, size)
    stem = f"{split}/{image_id:05d}"
    cv2.imwrite(f"{root}/images/{stem}.jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 92))
    cv2.imwrite(f"{root}/masks/{stem}.png", _semantic(placed, size))
    return _annotate(placed, image_id, size)


def _annotate(placed: list[Placed], image_id: int, size: int) -> list[dict[str, Any]]:
    """COCO annotations of the labelled things, front to back."""
    things = [thing for thing in placed if thing.label is not None]
    masks = np.zeros((size, size, len(things)), dtype=np.uint8, order="F")
    for number, thing in enumerate(things):
        x0, y0, x1, y1 = thing.box
        masks[y0:y1, x0:x1, number] = thing.visible
    rles = coco_mask.encode(masks)
    return [
        dict(
            image_id=image_id,
            category_id=thing.label + 1,
            bbox=[int(value) for value in bbox],
            area=int(area),
            iscrowd=0,
            segmentation=dict(size=[size, size], counts=rle["counts"].decode()),
            visibility=round(thing.visibility, 3),
        )
        for thing, rle, bbox, area in zip(
            things, rles, coco_mask.toBbox(rles), coco_mask.area(rles), strict=True
        )
    ]


def _semantic(placed: list[Placed], size: int) -> NDArray[np.uint8]:
    """Index image (size, size): 0 is background, other values are category ids."""
    index = np.zeros((size, size), dtype=np.uint8)
    for thing in placed:
        if thing.label is not None:
            x0, y0, x1, y1 = thing.box
            index[y0:y1, x0:x1][thing.visible] = thing.label + 1
    return index
