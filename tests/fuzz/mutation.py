"""Something goes wrong in valid data: in values, keys and types of a tree, in words, in bytes."""

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzz.hostile_values import BYTES, KEYS, TEXTS, VALUES

Place = tuple[Any, Any]  # a container, and a key or an index in it


def mutated_tree(tree: Any, rng: random.Random, *, values: Sequence[Any] = VALUES) -> Any:
    """A copy of dicts and lists with one to a few changes, mostly one."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        places = _places(tree)
        if not places:
            return tree
        rng.choice(_TREE_CHANGES)(places, rng, values)
    return tree


def _places(tree: Any) -> list[Place]:
    """All values within, but for those in containers that are changes themselves."""
    found: list[Place] = []
    waiting = [tree]
    while waiting and len(found) < 500:
        node = waiting.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in list(keys)[:50]:
            found.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    return found


def _put_value(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    node, key = rng.choice(places)
    node[key] = copy.deepcopy(rng.choice(values))


def _change_type(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    node, key = rng.choice(places)
    value = node[key]
    wraps: list[Callable[[Any], Any]] = [
        lambda v: [v], lambda v: {"a": v}, lambda v: {"0": v}, str, repr, bool,
        lambda v: [v, v], lambda v: list(v.values()) if isinstance(v, dict) else [[v]],
        lambda v: dict(enumerate(v)) if isinstance(v, list) else {"": v},
    ]  # fmt: skip
    node[key] = rng.choice(wraps)(value)


def _remove(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    node, key = rng.choice(places)
    del node[key]


def _repeat(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    node, key = rng.choice(places)
    if isinstance(node, list):
        node[key:key] = [copy.deepcopy(node[key])] * rng.choice((1, 1, 2, 10))
    else:
        node[rng.choice(KEYS)] = node[key]


def _rename(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    node, key = rng.choice(places)
    if isinstance(node, dict):
        other = [k for n, k in places if isinstance(n, dict)]
        node[rng.choice([*KEYS, *map(str, other)])] = node.pop(key)


def _exchange(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    """Put a copy of one part in the place of another."""
    (node, key), (other, other_key) = rng.choice(places), rng.choice(places)
    node[key] = copy.deepcopy(other[other_key])


def _near_number(places: list[Place], rng: random.Random, values: Sequence[Any]) -> None:
    numbers = [(n, k) for n, k in places if type(n[k]) in (int, float)]
    if numbers:
        node, key = rng.choice(numbers)
        value = node[key] if abs(node[key]) < 1e300 else 1e300
        node[key] = rng.choice((-value, value * 10**9, value + 0.5, value - 1, 0))


_TREE_CHANGES = (
    _put_value, _put_value, _put_value, _change_type, _remove, _repeat, _rename, _exchange,
    _near_number,
)  # fmt: skip


def mutated_words(text: str, rng: random.Random, *, separator: str = " ") -> str:
    """Lines of words with one to a few words or lines changed."""
    lines = [line.split(separator) for line in text.split("\n")]
    for _ in range(rng.choice((1, 1, 2, 4))):
        line = rng.choice(lines)
        place = rng.randrange(len(line)) if line else 0
        match rng.randrange(6):
            case 0:
                del line[place : place + 1]
            case 1:
                line.insert(place, rng.choice(TEXTS))
            case 2:
                line[place : place + 1] = rng.choice(lines)
            case 3:
                lines.insert(rng.randrange(len(lines)), list(line))
            case _:
                line[place : place + 1] = [rng.choice(TEXTS)]
    return "\n".join(separator.join(line) for line in lines)


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bytes with one to a few places flipped, cut out, repeated, or replaced by hostile ones."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        size = rng.choice((1, 2, 4, 16, 300))
        match rng.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + size] = rng.randbytes(size)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + size]
            case 4:
                data[at:at] = data[at : at + size] * rng.choice((1, 1, 3, 100))
            case 5:
                data[at : at + rng.choice((0, size))] = rng.choice(BYTES)
            case _:
                other = rng.randrange(len(data) + 1)
                data[at : at + size] = data[other : other + size]
    return bytes(data)


def encoded(text: str, rng: random.Random) -> bytes:
    """Text as bytes, mostly UTF-8, sometimes damaged on top."""
    content = text.encode("utf-8", "surrogatepass")
    chance = rng.random()
    if chance < 0.03:
        content = text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")), "surrogatepass")
    elif chance < 0.05:
        content = text.encode("latin-1", "replace")
    return mutated_bytes(content, rng) if rng.random() < 0.2 else content
