"""How much a service takes on."""

from dataclasses import dataclass

from vitdet.errors import UserError


@dataclass(frozen=True)
class Limits:
    """What a request may ask for, and how many at a time.

    Attributes:
        megabytes: of a request.
        megapixels: of a photo, by its header, before it is decoded.
        seconds: for an answer, the upload included.
        waiting: requests that are taken on at a time; others are told to come back.
        batch: photos that the model is given at a time.
        max_side: pixels; longer photos are shrunk to it before the model gets them, as the masks of
            a hundred objects have a hundred times the pixels of the photo.
    """

    megabytes: float = 20
    megapixels: float = 50
    seconds: float = 30
    waiting: int = 64
    batch: int = 4
    max_side: int = 2048

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise UserError(f"{name}: {value} is not above 0")

    @property
    def max_bytes(self) -> int:
        return int(self.megabytes * 1e6)

    @property
    def max_pixels(self) -> int:
        return int(self.megapixels * 1e6)
