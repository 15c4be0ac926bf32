"""Image files as pixels."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vitdet.datasets.untrusted_images import BrokenImageError, open_image
from vitdet.errors import UserError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def image_of(data_info: Mapping[str, Any]) -> str | np.ndarray:
    """File of a data set's item, or (H, W, 3) RGB pixels where it has no file.

    data_info: what `dataset.get_data_info(i)` returns; its `img` is in BGR order.
    """
    return data_info["img_path"] or np.ascontiguousarray(data_info["img"][..., ::-1])


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file to (H, W, 3) uint8 RGB, turned upright as its EXIF tag says.

    It is read by OpenCV, as mmdet's transforms read it, so that pixels and sides are those that a
    model is trained on; Pillow decodes JPEG slightly differently and leaves images unturned.

    Raises UserError if there is no such file or if it is no image.
    """
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder, not an image")
    if os.path.exists(path) and not os.path.isfile(path):  # it would be waited for, or never end
        raise UserError(f"{path} is a pipe or a device, not an image")
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except (FileNotFoundError, ValueError):  # a name with a zero in it
        raise UserError(f"image not found: {path}") from None
    except OSError as error:
        raise UserError(f"image {path} cannot be read ({error.strerror})") from None
    return decode_image(content, path)


def decode_image(content: np.ndarray, source: str | Path) -> np.ndarray:
    """Decode the bytes (N,) of an image file to (H, W, 3) uint8 RGB; `source` names it in errors.

    Raises UserError if they are no image, or one of more than 178 million pixels.
    """
    _refuse_bomb(content, source)
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except cv2.error:  # more pixels than OpenCV allows
        image = None
    if image is None:
        raise UserError(f"{source} is not an image that OpenCV can read")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def _refuse_bomb(content: np.ndarray, source: str | Path) -> None:
    """A file of a megabyte may unpack to many gigabytes: its head says so. OpenCV looks later."""
    try:
        with open_image(io.BytesIO(content)):
            pass
    except BrokenImageError as error:
        if error.is_bomb:
            raise UserError(f"{source} {error}: cut it into tiles") from None
        # else of a format that only OpenCV knows, or of none


def image_files(paths: Sequence[str | Path]) -> Iterator[Path]:
    """The files among `paths`, and the images in the folders among them.

    Raises UserError if a folder has none.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not inside:
            raise UserError(f"no images in {path}")
        yield from inside
