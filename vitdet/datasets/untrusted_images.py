"""Image files opened by Pillow, which come from anywhere: broken, huge, or no files at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

MAX_PIXELS = 2 * Image.MAX_IMAGE_PIXELS
"""More are taken for an attempt to fill the memory; Pillow's own limit."""


class BrokenImageError(ValueError):
    """An image cannot be read: why, in a line.

    `is_truncated` where its end is missing, `is_bomb` where it claims too many pixels.
    """

    def __init__(self, why: str, *, is_bomb: bool = False) -> None:
        super().__init__(why)
        self.is_bomb = is_bomb
        self.is_truncated = "truncated" in why.lower() or "broken data stream" in why


@contextmanager
def open_image(
    source: str | Path | BinaryIO, *, formats: Sequence[str] | None = None
) -> Iterator[Image.Image]:
    """An image to read within a `with` block; whatever Pillow raises in it is `BrokenImageError`.

    `formats` are Pillow's names of those that are opened, by default all.

    Raises FileNotFoundError if there is no such file.
    """
    if isinstance(source, str | Path):
        _check_regular(source)
    try:
        with Image.open(source, formats=formats) as image:
            yield image
    except Image.UnidentifiedImageError:
        raise BrokenImageError("is of no known image format") from None
    except Image.DecompressionBombError:
        why = f"has more than {MAX_PIXELS // 1_000_000} million pixels"
        raise BrokenImageError(why, is_bomb=True) from None
    except MemoryError:
        raise BrokenImageError("takes more memory than there is") from None
    except Exception as error:  # the decoders fail in any way
        why = " ".join(str(error).replace(str(source), "it").split())
        raise BrokenImageError(why[:200] or type(error).__name__) from None


def _check_regular(path: str | Path) -> None:
    """A pipe would be waited for, a device be read for ever."""
    if os.path.isfile(path):
        if os.path.getsize(path) == 0:
            raise BrokenImageError("the file is empty")
    elif os.path.exists(path):
        raise BrokenImageError("it is a folder, a pipe or a device")
    else:
        raise FileNotFoundError(path)
