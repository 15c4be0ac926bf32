"""Label files as text, json or XML: they come from anywhere, in any encoding, often broken."""

import json
import mmap
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from vitdet.errors import UserError, one_line

# Larger than any side of an image, and small enough to compute with.
_MAX_WHOLE = 1_000_000_000
_MAX_WHY = 300
_MAX_YAML = 200_000  # characters; they are read in seconds


class BrokenLabelError(ValueError):
    """A label file, or the part of one that is about one image, cannot be read: why, in a line."""

    def __init__(self, why: str) -> None:
        super().__init__(one_line(why, limit=_MAX_WHY))


def read_text(path: Path) -> str:
    """Text in UTF-8 or 16, with or without byte-order mark, else in Windows' Western encoding.

    Raises BrokenLabelError if the file is missing or holds bytes that no text has.
    """
    return decode(read_bytes(path))


def read_lines(path: Path) -> list[str]:
    """Lines of a text that all depends on. Raises UserError if it cannot be read."""
    try:
        return read_text(path).splitlines()
    except BrokenLabelError as error:
        raise UserError(f"{path} {error}") from None


def read_bytes(path: Path) -> bytes:
    """Raises BrokenLabelError if the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BrokenLabelError(f"cannot be read ({error.strerror})") from None


def mentions(path: Path, *patterns: bytes) -> bool:
    """Whether a file has all patterns somewhere, without parsing what may be half a gigabyte.

    One that cannot be read has none, for whoever reads the format says so better.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return all(re.search(pattern, content) for pattern in patterns)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def to_number(value: Any, what: str) -> float:
    """A number, or a text that is one. Raises BrokenLabelError for anything else."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise BrokenLabelError(f"{what} is {str(value)[:60]!r}, not a number") from None


def to_whole(value: Any, what: str) -> int:
    """The nearest whole number. Raises BrokenLabelError for anything that has none."""
    number = to_number(value, what)
    if not abs(number) < _MAX_WHOLE:
        raise BrokenLabelError(f"{what} is {number}")
    return round(number)


def decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise BrokenLabelError("is not text")


def read_json(path: Path) -> Any:
    """Raises BrokenLabelError if the file is no JSON."""
    text = read_text(path)
    if not text.strip():
        raise BrokenLabelError("is empty")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise BrokenLabelError(f"is not JSON: {why}") from None
    except (ValueError, RecursionError) as error:  # numbers of a million digits, endless nesting
        raise BrokenLabelError(f"is not JSON: {error}") from None


class _NoDoctype(ElementTree.TreeBuilder):
    """Stops at a DOCTYPE: what it declares may grow to gigabytes or name files of the computer."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise BrokenLabelError("has a DOCTYPE, which label files have no use for: remove it")


def read_xml(path: Path) -> ElementTree.Element:
    """The root element. Raises BrokenLabelError if the file is no XML or has a DOCTYPE."""
    content = read_bytes(path)
    if not content.strip():
        raise BrokenLabelError("is empty")
    try:
        return _parse_xml(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        if isinstance(error, BrokenLabelError):
            raise
        why = error
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:  # without a word on its encoding: expat takes it for UTF-8
        try:
            return _parse_xml(decode(content))
        except ElementTree.ParseError as error:
            why = error
    raise BrokenLabelError(f"is not XML: {why}")


def root_tag(path: Path) -> str | None:
    """Name of the root element, also of a file that breaks off behind it; None if there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        text = decode(head[: len(head) // 2 * 2])
    except (BrokenLabelError, OSError):
        return None
    match = re.search(r"<([A-Za-z_][\w.-]*)", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
    return match[1] if match else None


def _parse_xml(content: bytes | str) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_NoDoctype())
    parser.feed(content)
    return parser.close()


def read_yaml(path: Path) -> Any:
    """Lists, dicts and strings: a class called `no` or `007` keeps its name, tags mean nothing.

    Raises BrokenLabelError if the file is no YAML.
    """
    text = read_text(path)
    if len(text) > _MAX_YAML:
        raise BrokenLabelError(f"has {len(text)} characters, no description of data has so many")
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise BrokenLabelError(f"is not YAML: {' '.join(str(error).split())}") from None
