"""An uploaded photo: judged by its header, then decoded."""

import io
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from vitdet.datasets.images import decode_image
from vitdet.datasets.untrusted_images import BrokenImageError, open_image
from vitdet.errors import UserError
from vitdet.serving.limits import Limits

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_MAX_SCANS = 200
"""Of a JPEG; a progressive one has about ten. Each is a pass over all pixels and may be short."""

Image.init()  # else Pillow opens those of `_FORMATS` only that it has needed before


def decode_photo(content: bytes, limits: Limits) -> np.ndarray:
    """Decode an image file to (H, W, 3) uint8 RGB, upright, as `Predictor` reads files.

    Raises HTTPException if it is no image, or of a format that photos do not have (415), has too
    many pixels (413), or is damaged (422).
    """
    _check_header(content, limits)
    try:
        _check_whole(io.BytesIO(content))
        return decode_image(np.frombuffer(content, np.uint8), "the photo")
    except (BrokenImageError, UserError) as error:
        raise HTTPException(422, f"the photo is damaged: {error}") from error


def shrink(pixels: np.ndarray, max_side: int) -> np.ndarray:
    """(h, w, 3) of (H, W, 3), with sides of at most `max_side` in the same proportion."""
    height, width = pixels.shape[:2]
    factor = max_side / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _check_header(content: bytes, limits: Limits) -> None:
    try:
        with open_image(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            image_format = image.format
    except BrokenImageError as error:
        if error.is_bomb:
            raise _too_large(str(error)) from error
        raise HTTPException(
            415,
            f"what was sent {error}: send a JPEG, PNG, WebP, BMP, TIFF or GIF file",
        ) from error
    if width * height > limits.max_pixels:
        raise _too_large(f"has {width}x{height} pixels, more than {limits.megapixels:g} million")
    if image_format in ("JPEG", "MPO") and content.count(b"\xff\xda") > _MAX_SCANS:
        raise _too_large(f"is a JPEG of more than {_MAX_SCANS} scans")


def _too_large(what: str) -> HTTPException:
    return HTTPException(413, f"the photo {what}: send it smaller")


def _check_whole(file: BinaryIO) -> None:
    """OpenCV fills what a truncated file lacks with grey; Pillow says that it lacks something."""
    with open_image(file) as image:
        image.draft(None, (1, 1))  # of a JPEG an eighth of the pixels: all is read, little computed
        image.load()
