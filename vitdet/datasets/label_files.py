"""Label files as pixels: index PNGs, palette PNGs and, where a table explains them, colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import LoadAnnotations

from vitdet.datasets.label_table import IGNORED, UNKNOWN, Colour, LabelTable
from vitdet.datasets.untrusted_images import MAX_PIXELS, BrokenImageError, open_image
from vitdet.errors import UserError
from vitdet.registry import TRANSFORMS

_STRIP = 256  # rows


def read_values(path: str | Path, colours: dict[Colour, int] | None = None) -> np.ndarray:
    """Read a label file to (H, W) uint8 values, as they stand in the file.

    Of a palette PNG that is the index. `colours` gives the value that each RGB colour of a file of
    three channels stands for; without it these are taken for grey if they are equal.

    Raises UserError if the file is missing, damaged, of 16 bits or more, or has colours that
    nothing explains.
    """
    try:
        with open_image(path) as image:
            mode = image.mode
            if image.width * image.height > MAX_PIXELS // len(image.getbands()):
                raise BrokenImageError(f"{image.width}x{image.height} pixels are too many")
            pixels = np.asarray(image)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: every image needs its label file") from None
    except BrokenImageError as error:
        raise UserError(f"{path} is damaged or no image ({error}): write it anew") from None
    if mode[0] in "IF":
        raise UserError(
            f"{path} has more than 8 bits a pixel: labels are values from 0 to 255, save them as "
            "8-bit PNG"
        )
    pixels = pixels.astype(np.uint8, copy=False)  # bits come as bool
    if mode == "LA":
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        return pixels
    if mode not in ("RGB", "RGBA"):
        raise UserError(f"{path} is of Pillow's mode {mode}: save labels as 8-bit PNG of indices")
    return _values_of_colours(pixels[..., :3], colours or {}, path)


def read_palette(path: str | Path) -> list[Colour] | None:
    """(256) RGB colours of a palette PNG, or None of any other file."""
    with open_image(path) as image:
        palette = image.getpalette("RGB")
    if palette is None:
        return None
    colours = list(zip(*[iter(palette)] * 3, strict=True))
    return colours + [(0, 0, 0)] * (256 - len(colours))


def palette_of(path: str | Path, table: LabelTable) -> Sequence[Colour] | None:
    """Colours of the classes: those of `table`, or else of a palette PNG, or None."""
    of_values = None if table.palette else read_palette(path)
    return table.palette or (of_values and [of_values[value] for value in table.values])


def _values_of_colours(
    pixels: np.ndarray, colours: dict[Colour, int], path: str | Path
) -> np.ndarray:
    """pixels: (H, W, 3) uint8 to (H, W) values."""
    if not colours:
        if (pixels == pixels[..., :1]).all():
            return pixels[..., 0]
        red, green, blue = pixels.reshape(-1, 3)[_first(np.ptp(pixels, axis=-1) > 0)]
        raise UserError(
            f"{path} has three channels, and nothing says what its colours mean, such as "
            f"{red} {green} {blue}: write each class's colour behind its name in classes.txt, or "
            "save the labels as index PNG"
        )
    known = sorted((int(np.dot(colour, (1 << 16, 1 << 8, 1))), v) for colour, v in colours.items())
    known_codes, values = np.int32([c for c, _ in known]), np.uint8([v for _, v in known])
    found = np.empty(pixels.shape[:2], np.uint8)
    unknown = np.empty(pixels.shape[:2], bool)
    for start in range(0, len(pixels), _STRIP):  # what is computed takes ten times the pixels
        rows = slice(start, start + _STRIP)
        codes = pixels[rows].astype(np.int32) @ np.int32([1 << 16, 1 << 8, 1])
        places = np.searchsorted(known_codes, codes).clip(max=len(known) - 1)
        unknown[rows] = known_codes[places] != codes
        found[rows] = values[places]
    if unknown.any():
        red, green, blue = pixels.reshape(-1, 3)[_first(unknown)]
        raise UserError(
            f"{path} has {unknown.sum()} pixels of the colour {red} {green} {blue} or others that "
            "classes.txt does not have: add it behind the name of its class, or behind ignore"
        )
    return found


def _first(mask: np.ndarray) -> int:
    return int(mask.ravel().argmax())


@TRANSFORMS.register_module()
class LoadLabels(LoadAnnotations):
    """Reads `seg_map_path` into `gt_seg_map`, (H, W) uint8 labels; 255 is ignored.

    For `SemanticFolder` by its table of values (`label_table`), for mmseg's data sets as their
    `reduce_zero_label` and `label_map` say. Raises UserError as `read_values` does, and for a value
    that is not in the table. An image that comes without labels, as from mmseg's inferencer, stays
    without.
    """

    def __init__(self) -> None:
        super().__init__(with_bbox=False, with_label=False, with_seg=True)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if "seg_map_path" not in results:
            return results
        path, table = results["seg_map_path"], results.get("label_table")
        if table is None:
            lookup = mmseg_lookup(
                reduce_zero_label=results["reduce_zero_label"], label_map=results["label_map"]
            )
            labels = lookup[read_values(path)]
        else:
            labels = label_pixels(path, table)
        results["gt_seg_map"] = labels
        results["seg_fields"].append("gt_seg_map")
        return results


def label_pixels(path: str | Path, table: LabelTable) -> np.ndarray:
    """(H, W) uint8 labels of a file. Raises UserError for a value that `table` does not have."""
    values = read_values(path, dict(table.colours))
    labels = table.lookup[values]
    unknown = labels == UNKNOWN
    if unknown.any():
        value = values.ravel()[_first(unknown)]
        raise UserError(f"{path} has the value {value}, which is none of the data set's classes")
    return labels


def mmseg_lookup(*, reduce_zero_label: bool, label_map: dict[int, int] | None) -> np.ndarray:
    """(256,) uint8 label of each value, as mmseg's `LoadAnnotations` computes it pixel by pixel."""
    lookup = np.arange(256, dtype=np.uint8)
    if reduce_zero_label:
        lookup = lookup - 1
        lookup[[0, IGNORED]] = IGNORED
    if label_map is None:
        return lookup
    mapped = np.arange(256, dtype=np.uint8)
    mapped[list(label_map)] = list(label_map.values())
    return mapped[lookup]
