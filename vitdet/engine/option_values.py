"""What is written behind `--cfg-options`: KEY=VALUE, with values as Python has them."""

from collections.abc import Iterator, Sequence
from typing import Any

from vitdet.errors import UserError

_MAX_DEPTH = 20  # of brackets
_WORDS = {"true": True, "false": False}


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """Values by dotted key: numbers, `true`, `false`, `None`, lists, tuples, else text.

    `1,2` and `[1,2]` are lists, `(1,2)` is a tuple. Quotes around a value are left out. mmengine's
    own `DictAction` reads the same, but never ends with some brackets and takes spaces away.

    Raises UserError if a text has no `=`, or brackets that do not match.
    """
    options = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UserError(f"--cfg-options {text[:100]!r}: an option is written KEY=VALUE")
        try:
            options[key] = _parse(value, 0)
        except _BracketError as error:
            raise UserError(f"--cfg-options {key[:100]}={value[:100]}: {error}") from None
    return options


class _BracketError(ValueError):
    pass


def _parse(text: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _BracketError(f"more than {_MAX_DEPTH} brackets in one another")
    text = text.strip("'\" ")
    parts = list(_split(text))
    if len(parts) > 1:
        return [_parse(part, depth + 1) for part in parts if part.strip()]
    if text[:1] + text[-1:] not in ("[]", "()"):
        return _single(text)
    inside = [_parse(part, depth + 1) for part in _split(text[1:-1]) if part.strip()]
    return tuple(inside) if text[0] == "(" else inside


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no bracket; one part where there are none."""
    if "," not in text:
        yield text
        return
    depth = start = 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    if depth:
        raise _BracketError("brackets do not match")
    yield text[start:]


def _single(text: str) -> Any:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return None if text == "None" else _WORDS.get(text.lower(), text)
