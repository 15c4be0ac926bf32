"""Image files, read as for predictions and training, and by the data check."""

import random
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.image_samples import (
    HOSTILE_IMAGES,
    bmp_that_claims,
    gif_that_claims,
    image_bytes,
    png_bomb,
    png_that_claims,
    png_with_text_bomb,
)
from tests.fuzz.label_folder import disturbed
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.reader import Hostile, Reader
from vitdet.data_check.image_files import list_folders, read_image_files
from vitdet.datasets.formats.labelled_image import image_size
from vitdet.datasets.image_sources import images_of
from vitdet.datasets.images import read_image

_ENDINGS = ("jpg", "png", "bmp", "webp", "tif")
_MODES = {"jpg": ("RGB", "L", "CMYK"), "png": ("RGB", "L", "P", "1", "LA", "RGBA", "I;16")}


def write(folder: Path, rng: random.Random) -> Path:
    ending = rng.choice(_ENDINGS)
    content = image_bytes(ending, rng.choice(_MODES.get(ending, ("RGB", "L"))))
    path = folder / f"image.{rng.choice((ending, ending, *_ENDINGS))}"
    path.write_bytes(mutated_bytes(content, rng))
    return path


def _content(make: Callable[[], bytes], name: str = "image.png") -> Hostile:
    def case(folder: Path) -> Path:
        (folder / name).write_bytes(make())
        return folder / name

    return case


def _plain(folder: Path) -> Path:
    (folder / "image.jpg").write_bytes(image_bytes())
    return folder / "image.jpg"


HOSTILE: list[Hostile] = [
    *(_content(lambda data=data: data) for data in HOSTILE_IMAGES.values()),
    *(_content(lambda data=data: data, "image.mp4") for data in HOSTILE_IMAGES.values()),
    *(
        _content(lambda size=size, colours=colours: png_bomb(*size, colour_type=colours))
        for size, colours in (
            ((13_000, 13_000), 2), ((13_000, 13_000), 6), ((20_000, 20_000), 0), ((9**8, 4), 0)
        )
    ),
    _content(png_with_text_bomb),
    *(
        _content(lambda claim=claim, sides=sides: claim(*sides))
        for claim, largest in (
            (png_that_claims, 2**31 - 1), (gif_that_claims, 65_535), (bmp_that_claims, 2**31 - 1)
        )
        for sides in ((largest, largest), (largest, 1), (1, largest), (12_000, 14_000))
    ),
    lambda folder: folder / "missing.jpg",
    lambda folder: folder / ("x" * 300 + ".jpg"),
    lambda folder: folder / "a\0b.jpg",
    *disturbed(_plain),
]  # fmt: skip


def read(path: Path) -> None:
    """Nothing of the data check's way or of `image_size` may raise, not even UserError."""
    try:
        listings = list_folders([str(path.parent)])
        for is_whole in (False, True):
            files = read_image_files([str(path)], {str(path): 1}, is_whole=is_whole)
            assert "\n" not in files[str(path)].problem
        size = image_size(path)
        assert isinstance(size, tuple) or "\n" not in size
    except ValueError as error:
        raise AssertionError(f"raised {error}") from error
    assert listings
    for image in images_of(path):
        if isinstance(image.image, Path):
            read_image(image.image)


READER = Reader("images", write, read, HOSTILE)
