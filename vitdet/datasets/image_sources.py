"""Whatever a user may mean by "images", one image at a time."""

import glob
import re
import sys
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Union
from urllib.request import Request, urlopen

import cv2
import numpy as np
from PIL import Image, ImageOps

from vitdet.datasets.images import IMAGE_SUFFIXES, decode_image, image_files
from vitdet.errors import UserError

if TYPE_CHECKING:
    import torch

# A union by `|` cannot hold the name of what is not imported.
ImageLike = Union[str, Path, np.ndarray, Image.Image, "torch.Tensor"]
"""An image: a file or its URL, an array (H, W, 3) of uint8 in RGB order, a tensor (3, H, W) of
uint8 or of floats from 0 to 1 in RGB order, or a Pillow image. An address may also mean several: a
folder, a pattern such as "photos/*.jpg", a video; and so may an array or tensor with a first axis
more."""

VIDEO_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
_MAX_BYTES = 64 << 20  # of an image behind a URL
_MAX_SECONDS = 60.0
_SILENT_SECONDS = 15.0  # without a byte


class NamedImage(NamedTuple):
    """An image file, or (H, W, 3) uint8 RGB pixels, and what to call it.

    `address` says where it is from, and `stem` suits as the beginning of a file name.
    """

    image: Path | np.ndarray
    address: str
    stem: str


def images_of(given: ImageLike | Iterable[ImageLike]) -> Iterator[NamedImage]:
    """Each image that is meant, in order; of videos each frame. Files are not read yet.

    Raises UserError if there is none where several are expected, if a URL or a video cannot be
    read, or if a value is none of these.
    """
    if isinstance(given, str | Path):
        yield from _of_address(given)
    elif (isinstance(given, np.ndarray) or _is_tensor(given)) and given.ndim == 4:
        for one in given:
            yield NamedImage(pixels_of(one), "", "image")
    elif isinstance(given, np.ndarray | Image.Image) or _is_tensor(given):
        yield NamedImage(pixels_of(given), "", "image")
    elif isinstance(given, Iterable):
        for one in given:
            yield from images_of(one)
    else:
        raise UserError(
            f"an image is a path, an array, a tensor or a Pillow image, not {type(given)}"
        )


def pixels_of(image: "np.ndarray | torch.Tensor | Image.Image") -> np.ndarray:
    """(H, W, 3) uint8 RGB pixels. Raises UserError if the image is of another kind."""
    if isinstance(image, Image.Image):
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    if _is_tensor(image):
        return _of_tensor(image)
    if not isinstance(image, np.ndarray):
        raise UserError(f"pixels are an array, a tensor or a Pillow image, not {type(image)}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UserError(
            f"an array image is (H, W, 3) uint8 in RGB order, not {image.shape} {image.dtype}"
        )
    return image


def read_image_url(url: str) -> np.ndarray:
    """Fetch an image over http or https to (H, W, 3) uint8 RGB.

    Raises UserError if that fails, takes more than a minute, or brings more than 64 MiB or no
    image.
    """
    return decode_image(np.frombuffer(fetch(url, max_bytes=_MAX_BYTES), np.uint8), url)


def fetch(url: str, *, max_bytes: int) -> bytes:
    """What is behind an address of http or https.

    Raises UserError if it is another address, or if fetching fails, takes more than a minute, or
    brings more than `max_bytes`.
    """
    if not _is_url(url):
        raise UserError(f"{url} is no address that begins with http:// or https://")
    try:
        request = Request(url, headers={"User-Agent": "vitdet"})
        with urlopen(request, timeout=_SILENT_SECONDS) as response:
            return _read_limited(response, url, max_bytes)
    except UserError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(
            f"{url}: cannot be fetched ({error}); check the address, or save the image and give "
            "its file"
        ) from error


def _of_address(given: str | Path) -> Iterator[NamedImage]:
    text, path = str(given), Path(given)
    if isinstance(given, str) and _is_url(given):
        name = Path(re.split("[?#]", given)[0]).stem
        yield NamedImage(read_image_url(given), given, name)
    elif path.is_dir():
        for file in image_files([path]):
            yield NamedImage(file, str(file), file.stem)
    elif not path.exists() and glob.has_magic(text):
        suffixes = IMAGE_SUFFIXES | VIDEO_SUFFIXES
        files = sorted(Path(name) for name in glob.glob(text, recursive=True))
        files = [file for file in files if file.suffix.lower() in suffixes]
        if not files:
            raise UserError(f"no image matches {text}")
        for file in files:
            yield from _of_address(file)
    elif path.suffix.lower() in VIDEO_SUFFIXES:
        yield from _frames(path)
    else:
        yield NamedImage(path, text, path.stem)


def _frames(path: Path) -> Iterator[NamedImage]:
    """The frames of a video, decoded one by one."""
    if not path.is_file():
        raise UserError(f"video not found: {path}")
    video = cv2.VideoCapture(str(path))
    try:
        number = 0
        while True:
            is_there, frame = video.read()
            if not is_there:
                break
            pixels = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            yield NamedImage(pixels, f"{path}#{number}", f"{path.stem}_{number:06d}")
            number += 1
    finally:
        video.release()
    if not number:
        raise UserError(f"{path} is not a video that OpenCV can read")


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _is_tensor(given: Any) -> bool:
    """Whether it is torch's; where torch was never imported, nothing is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def _of_tensor(image: "torch.Tensor") -> np.ndarray:
    import torch

    if image.ndim != 3 or image.shape[0] != 3:
        raise UserError(f"a tensor image is (3, H, W) in RGB order, not {tuple(image.shape)}")
    if image.is_floating_point():
        low, high = (float(value) for value in image.aminmax())
        if not (low >= 0 and high <= 1):  # NaN included
            raise UserError(
                f"a tensor image of floats has values from 0 to 1, not from {low:.3g} to "
                f"{high:.3g}; give it as uint8, or before it is normalised"
            )
        image = (image * 255).round().to(torch.uint8)
    if image.dtype != torch.uint8:
        raise UserError(f"a tensor image is of uint8 or floats, not {image.dtype}")
    return image.detach().permute(1, 2, 0).contiguous().cpu().numpy()


def _read_limited(response: HTTPResponse, url: str, max_bytes: int) -> bytes:
    too_large = f"{url} is larger than {max_bytes >> 20} MiB: save the image and give its file"
    if int(response.headers.get("Content-Length") or 0) > max_bytes:
        raise UserError(too_large)
    end = time.monotonic() + _MAX_SECONDS
    content = bytearray()
    while chunk := response.read1(1 << 16):  # returns with what is there: a slow server is noticed
        content += chunk
        if len(content) > max_bytes:
            raise UserError(too_large)
        if time.monotonic() > end:
            raise UserError(
                f"{url} takes more than {_MAX_SECONDS:.0f} s: save the image and give its file"
            )
    return bytes(content)
