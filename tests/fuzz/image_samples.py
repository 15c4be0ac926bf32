"""Small images as bytes, and images that are bombs, torn or something else."""

import io
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48


@cache
def image_bytes(ending: str = "jpg", mode: str = "RGB") -> bytes:
    """A picture of WIDTH x HEIGHT in the format that files with this ending have."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([rows * 5, columns * 3, rows + columns], axis=-1).astype(np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if ending in ("jpg", "webp", "tif") else {}
    buffer = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def label_bytes(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """An index PNG with the values 0, 1 and 2."""
    values = (np.arange(width * height) % 3).astype(np.uint8).reshape(height, width)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def _png(width: int, height: int, *chunks: tuple[bytes, bytes], colour_type: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in ((b"IHDR", head), *chunks, (b"IEND", b"")):
        parts.append(struct.pack(">I", len(data)) + name + data)
        parts.append(struct.pack(">I", zlib.crc32(name + data)))
    return b"".join(parts)


@cache
def png_bomb(width: int, height: int, *, colour_type: int = 2) -> bytes:
    """A PNG of all zeros: a two hundredth of what it takes in memory."""
    row = bytes(1 + width * {0: 1, 2: 3, 6: 4}[colour_type])
    packer = zlib.compressobj(1)
    rows = max(1, (1 << 22) // len(row))
    parts = [packer.compress(row * min(rows, height - y)) for y in range(0, height, rows)]
    data = b"".join(parts) + packer.flush()
    return _png(width, height, (b"IDAT", data), colour_type=colour_type)


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG with a head and a few pixels."""
    return _png(width, height, (b"IDAT", zlib.compress(bytes(100))))


def png_with_text_bomb() -> bytes:
    """A small PNG whose comment unpacks to 200 MB."""
    text = b"comment\0\0" + zlib.compress(bytes(200_000_000), 1)
    pixels = zlib.compress(bytes((1 + WIDTH * 3) * HEIGHT))
    return _png(WIDTH, HEIGHT, (b"zTXt", text), (b"IDAT", pixels))


def gif_that_claims(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0"


def bmp_that_claims(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + bytes(100)


HOSTILE_IMAGES: dict[str, bytes] = {
    "empty": b"",
    "text": b"this is no image",
    "html": b"<!DOCTYPE html><html>404</html>",
    "pixel": _png(1, 1, (b"IDAT", zlib.compress(bytes(4)))),
    "no side": png_that_claims(0, 5),
    "claims much": png_that_claims(2**31 - 1, 2**31 - 1),
    "claims wide": png_that_claims(10_000_000, 1),
    "claims 1 G": png_that_claims(32_000, 32_000),
    "gif": gif_that_claims(65_535, 65_535),
    "bmp": bmp_that_claims(100_000, -100_000),
    "cut jpg": image_bytes()[:300],
    "cut png": image_bytes("png")[:80],
    "half": image_bytes()[: len(image_bytes()) // 2],
    "16 bit": image_bytes("png", "I;16"),
    "float tif": image_bytes("tif", "F"),
    "cmyk": image_bytes("jpg", "CMYK"),
    "bits": image_bytes("png", "1"),
}
