"""Images with their annotations drawn, as samples of a class or of a finding."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from vitdet.data_check.columns import Columns
from vitdet.data_check.finding import Finding
from vitdet.data_check.mask_columns import MaskForm
from vitdet.data_check.polygons import is_sound, polygons_of
from vitdet.datasets.formats.file_names import leads_outside
from vitdet.datasets.images import read_image
from vitdet.errors import UserError
from vitdet.evaluation.rle import decode_masks, segmentation_to_rle
from vitdet.visualization.draw import draw_instances

_SIDE = 360  # pixels of a drawn sample's longer side
_MAX_DRAWN = 60  # objects in a sample


def _draw_sample(columns: Columns, image: int, rows: np.ndarray) -> Image.Image | None:
    """Draw annotations `rows` onto their image; None if it cannot be read.

    Boxes are drawn as they are understood, in pixels; what has no readable box is not drawn.
    """
    path = columns.split.image_root / columns.images[image]["file_name"]
    try:
        pixels = read_image(path)
    except UserError:
        return None
    rows = np.asarray(rows, dtype=int)[:_MAX_DRAWN]
    x, y, width, height = columns.boxes[rows].T
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    shown = np.isfinite(boxes).all(axis=1) & (columns.ann_category[rows] >= 0)
    boxes = np.clip(boxes, -1e5, 1e5)
    masks = None
    if shown.any() and (columns.masks.form[rows[shown]] != MaskForm.NONE).all():
        masks = np.stack([_mask(columns, row, pixels.shape[:2]) for row in rows[shown].tolist()])
    return draw_instances(
        pixels,
        boxes[shown],
        labels=columns.ann_category[rows[shown]],
        class_names=[str(entry.get("name")) for entry in columns.categories],
        masks=masks,
        scale=_SIDE / max(pixels.shape[:2]),
    )


def _mask(columns: Columns, row: int, shape: tuple[int, int]) -> np.ndarray:
    """The mask of an annotation, (H, W) bool; empty where it is broken."""
    nothing = np.zeros(shape, dtype=bool)
    segmentation = columns.annotations[row].get("segmentation")
    if np.isnan(columns.masks.area[row]):  # no sound part
        return nothing
    if isinstance(segmentation, list):
        scale = columns.ann_size[row] if columns.has_normalised_mask[row] else (1, 1)
        segmentation = [
            (np.array(part, dtype=float).reshape(-1, 2) * scale).ravel().tolist()
            for part in polygons_of(segmentation)[0]
            if is_sound(part)
        ]
    elif tuple(columns.masks.size[row]) != shape[::-1]:
        return nothing
    return decode_masks([segmentation_to_rle(segmentation, *shape)], *shape)[0]


def finding_samples(
    columns: Columns, finding: Finding, *, limit: int
) -> list[tuple[Image.Image, str]]:
    """A few places of a finding, drawn with nothing but what was found, and their captions."""
    if finding.level == "categories":
        return []
    rows = finding.rows
    images = rows if finding.level == "images" else columns.ann_image[rows]
    all_rows = rows if finding.level == "annotations" else np.arange(len(columns.annotations))
    return _samples(columns, dict.fromkeys(images.tolist()), all_rows, limit=limit)


def class_samples(columns: Columns, category: int, *, limit: int) -> list[tuple[Image.Image, str]]:
    """Images spread over the split in which a class occurs, with its objects drawn."""
    rows = np.flatnonzero((columns.ann_category == category) & (columns.ann_image >= 0))
    images = np.unique(columns.ann_image[rows])
    spread = np.linspace(0, len(images) - 1, min(limit, len(images))).round().astype(int)
    return _samples(columns, images[spread].tolist(), rows, limit=limit)


def _samples(
    columns: Columns, images: Iterable[int], rows: np.ndarray, *, limit: int
) -> list[tuple[Image.Image, str]]:
    """The first images that can be drawn, with those of `rows` that are in them."""
    samples = []
    for image in list(images)[: 10 * limit]:
        name = columns.images[image].get("file_name") if image >= 0 else None
        if not isinstance(name, str) or leads_outside(name):
            continue
        drawn = _draw_sample(columns, image, rows[columns.ann_image[rows] == image])
        if drawn is not None:
            samples.append((drawn, name))
        if len(samples) == limit:
            break
    return samples
