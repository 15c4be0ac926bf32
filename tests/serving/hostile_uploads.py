"""Requests that a service has to refuse: damaged, huge, bombs, of other kinds, and wrong forms."""

import io
import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.fuzz.image_samples import (
    bmp_that_claims,
    gif_that_claims,
    image_bytes,
    png_bomb,
    png_that_claims,
    png_with_text_bomb,
)
from tests.fuzz.mutation import mutated_bytes

_ENDINGS = ("jpg", "png", "bmp", "webp", "tif")
_NAMES = (
    "photo.jpg",
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b.png",
    "x" * 3000,
    "",
    "CON",
    "%2e%2e/a",
)
_BOUNDARY = b"boundary"


class Upload(NamedTuple):
    """What is sent to /predict. `is_chunked` where its length is not told beforehand."""

    kind: str
    body: bytes
    content_type: str = f"multipart/form-data; boundary={_BOUNDARY.decode()}"
    is_chunked: bool = False


def upload(
    kind: str, content: bytes, *, field: str = "image", name: str | None = "photo"
) -> Upload:
    """A form with one part."""
    return Upload(kind, _part(field, content, name) + b"--" + _BOUNDARY + b"--\r\n")


def hostile_upload(rng: random.Random, *, max_bytes: int) -> Upload:
    """Any of those that are refused with a status of 4xx, whatever the model."""
    kind = rng.choice(list(_MAKERS))
    if kind == "huge" and rng.random() < 0.8:  # as slow to send as a hundred others
        kind = "claims"
    return _MAKERS[kind](rng, max_bytes)


def mutated_upload(rng: random.Random) -> Upload:
    """A photo or a form with a few bytes changed, which may be as good as before."""
    content = image_bytes(rng.choice(_ENDINGS))
    if rng.random() < 0.7:
        return upload("mutated", mutated_bytes(content, rng), name=rng.choice(_NAMES))
    return upload("mutated", content)._replace(
        body=mutated_bytes(upload("", content).body, rng), kind="mutated form"
    )


def progressive_jpeg_of_many_scans(num_scans: int = 5000) -> bytes:
    """The last scan again and again: each has a few bytes and takes a pass over all pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (4096, 4096), "grey").save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * (num_scans - 1) + content[-2:]


def _part(field: str, content: bytes, name: str | None) -> bytes:
    head = f'--{_BOUNDARY.decode()}\r\nContent-Disposition: form-data; name="{field}"'
    if name is not None:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        head += f'; filename="{quoted}"\r\nContent-Type: image/jpeg'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def _truncated(rng: random.Random, _: int) -> Upload:
    content = _busy_photo(rng.choice(_ENDINGS))
    return upload("truncated", content[: int(len(content) * rng.uniform(0, 0.9))])


def _busy_photo(ending: str) -> bytes:
    """Of noise, so that the file ends where its pixels do."""
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def _huge(rng: random.Random, max_bytes: int) -> Upload:
    content = image_bytes() + bytes(max_bytes)
    return upload("huge", content)._replace(is_chunked=rng.random() < 0.5)


def _claims(rng: random.Random, _: int) -> Upload:
    claim, largest = rng.choice(
        ((png_that_claims, 2**31 - 1), (gif_that_claims, 65_535), (bmp_that_claims, 2**31 - 1))
    )
    return upload("claims", claim(rng.randint(7_200, largest), rng.randint(7_200, largest)))


def _bomb(rng: random.Random, _: int) -> Upload:
    content = rng.choice(
        (
            lambda: png_bomb(13_000, 13_000),
            lambda: png_bomb(20_000, 20_000, colour_type=0),
            png_with_text_bomb,
            progressive_jpeg_of_many_scans,
        )
    )
    return upload("bomb", _kept(content))


_made: dict[int, bytes] = {}


def _kept(make: Callable[[], bytes]) -> bytes:
    key = hash(make.__code__)
    if key not in _made:
        _made[key] = make()
    return _made[key]


def _wrong_type(rng: random.Random, _: int) -> Upload:
    contents = (
        b"", b"this is no image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"PK\3\4" + bytes(100),
        b"\x7fELF" + bytes(100), b"P6 64 48 255\n" + bytes(64 * 48 * 3), b"8BPS\0\1" + bytes(60),
        b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), b"v/1\x01" + bytes(100), rng.randbytes(500),
        b"\x1aE\xdf\xa3" + bytes(50), b"<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
    )  # fmt: skip
    return upload("wrong type", rng.choice(contents), name=rng.choice(_NAMES))


def _wrong_form(rng: random.Random, _: int) -> Upload:
    photo = image_bytes()
    right = upload("wrong form", photo)
    return rng.choice(
        (
            upload("wrong form", photo, field="photo"),
            upload("wrong form", photo, name=None),
            upload("wrong form", b"/etc/passwd", name=None),
            upload("wrong form", b"file:///etc/passwd", field="url", name=None),
            upload("wrong form", b"http://127.0.0.1:1/x.jpg", field="url", name=None),
            right._replace(body=_part("image", photo, "a") + right.body),
            right._replace(body=_part("url", b"http://x/y.jpg", None) + right.body),
            right._replace(body=b"".join(_part(f"f{k}", b"", None) for k in range(500))),
            right._replace(body=_part("image", bytes(100_000), None) + right.body),
            right._replace(content_type="image/jpeg", body=photo),
            right._replace(content_type="application/json", body=b'{"image": "/etc/passwd"}'),
            right._replace(content_type="multipart/form-data"),
            right._replace(content_type="multipart/form-data; boundary=" + "b" * 2000),
            right._replace(body=rng.randbytes(1000)),
            right._replace(body=b""),
        )
    )


_MAKERS: dict[str, Callable[[random.Random, int], Upload]] = {
    "truncated": _truncated,
    "huge": _huge,
    "claims": _claims,
    "bomb": _bomb,
    "wrong type": _wrong_type,
    "wrong form": _wrong_form,
}
