"""Values, texts, keys and bytes that break readers, or once did."""

from typing import Any


def nested(depth: int, inner: Any = 0) -> list:
    """A list in a list in a list ..."""
    for _ in range(depth):
        inner = [inner]
    return inner


NUMBERS: list[Any] = [
    0, -1, 1, 2, 255, 256, -0.0, 0.5, 1e-320, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, -(2**63),
    2**64, 10**30, 10**400, -(10**400), 1e18, 1e200, 1e308, -1e308, float("nan"), float("inf"),
    float("-inf"), True, False,
]  # fmt: skip

TEXTS: list[str] = [
    "", " ", "\t", "0", "-1", "1e999", "NaN", "nan", "-inf", "Infinity", "1_000", "0x10", "1,5",
    "9" * 50, "9" * 10_000, "1e5", "²", "\uff11\uff12", "\u0663", "\0", "a\0b", "\x1b[31mred",
    "two\nlines", "two\r\nlines", "a\u2028b", "\x85", "\ud800", "a\udcffb.jpg", "é", "e\u0301",
    "İ", "ß", "\U0001f600", "\ufeffx", "../../../etc/passwd", "..", ".", "/", "//", "/etc/passwd",
    "/dev/zero", "/dev/stdin", "/proc/self/mem", "C:\\Windows\\x.jpg", "\\\\host\\share\\x.jpg",
    "~/x.jpg", "\u202egpj.exe", "file:///etc/passwd", "http://[::1", "x" * 100_000,
    "a" * 300 + ".jpg", "images/1.jpg", "1.jpg", "1.JPG", "1", "{}", "[]", "null", "None", "true",
    "%s%n", "{0}",
    "$(id)", "<b>", "&amp;", "]]>", "' or 1", "__class__", "__proto__", "train", "val", "a/b/c",
]  # fmt: skip

_RUNS: list[Any] = [
    {"size": [48, 64], "counts": "0" * 10},
    {"size": [48, 64], "counts": [3072]},
    {"size": [48, 64], "counts": [0, 3072, 0, 0]},
    {"size": [48, 64], "counts": [-5, 3077]},
    {"size": [100_000, 100_000], "counts": [0, 10**10]},
    {"size": [100_000, 100_000], "counts": "P" * 1000},
    {"size": [2**31, 2**31], "counts": [1, 2**62 - 1]},
    {"size": [0, 0], "counts": [0]},
    {"size": [1, 3072], "counts": [10**400, 1]},
    {"size": [48.0, 64], "counts": [1.5, 2]},
    {"size": "48x64", "counts": "é"},
    {"size": [48, 64], "counts": "\ud800"},
    {"size": [48, 64], "counts": "o" * 50_000},
    {"size": [48, 64], "counts": [0, 1] * 50_000},
    {"counts": None},
]

_SHAPES: list[Any] = [
    [], {}, [[]], [[], []], [None], [[None, None]], [[1, 2]], [[1, 2, 3, 4, 5]], [1, 2, 3, 4, 5, 6],
    [[1e308, -1e308] * 4], [[float("nan")] * 8], [["1", "2", "3", "4", "5", "6"]],
    [[10**400, 0, 0, 5, 5, 5]], [[1, 2], [3, 4], [5, 6]], [[[1, 2], [3, 4], [5, 6]]],
    [0, 0, 1e308, 1e308], [-1e308, -1e308, 1e308, 1e308], [0, 0, float("nan"), 4],
    [5, 5, 5], ["5", "5", "5", "5"], [True, False, True, True], [[5, 5, 5, 5]],
    [float("inf"), 0, 1, 1], [0, 0, 2**63, 2**64], {"x": 1}, {"a": {"b": {"c": {}}}},
    nested(90), nested(300), list(range(2000)), [[0.5] * 20_000], ["a"] * 5000,
]  # fmt: skip

VALUES: list[Any] = [None, *NUMBERS, *TEXTS, *_RUNS, *_SHAPES]

KEYS: list[str] = [
    "", " ", "id", "name", "type", "size", "0", "-1", "x\0y", "\ud800", "__class__", "a" * 5000,
    "names", "images", "label", "isthing", "problem", "label_file",
]  # fmt: skip

BYTES: list[bytes] = [
    b"\0", b"\0" * 1000, b"\xff", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc0\x80",
    b"\xed\xa0\x80", b"\r", b"\x1a", b"[" * 100_000, b'{"a":' * 20_000, b"<a>" * 20_000,
    b"9" * 10_000, b"-", b'"', b"\\u", b"\\ud800", b"NaN", b"1e999", b"&lol;", b"<!DOCTYPE x>",
    b'<?xml version="1.0" encoding="utf-7"?>', b'<?xml version="1.0" encoding="x"?>', b"<![CDATA[",
    b"PK\x03\x04", b"\x80\x02", b"\x80\x05", b"%PDF", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff",
]  # fmt: skip
