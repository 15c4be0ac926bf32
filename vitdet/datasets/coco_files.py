"""COCO annotation files: reading them, and finding them in a folder."""

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vitdet.errors import UserError


def read_coco(ann_file: str | Path) -> dict[str, Any]:
    """Read a COCO annotation file: `images`, `annotations` and `categories` are there.

    Raises UserError if it is missing, is not JSON, or is not in COCO's format.
    """
    try:
        content = json.loads(Path(ann_file).read_bytes())
    except FileNotFoundError:
        raise UserError(f"annotation file not found: {ann_file}") from None
    except IsADirectoryError:
        raise UserError(f"{ann_file} is a folder; give the annotation file in it") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{ann_file} is not JSON: not text ({error.reason})") from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"{ann_file} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    if not isinstance(content, dict):
        raise UserError(
            f"{ann_file} is not a COCO annotation file: it holds a {type(content).__name__} where "
            "an object with images, annotations and categories is expected"
        )
    keys = ("images", "annotations", "categories")
    missing = [key for key in keys if not isinstance(content.get(key), list)]
    if missing:
        raise UserError(
            f"{ann_file} is not a COCO annotation file: it lacks the list "
            f"{' and '.join(map(repr, missing))} (it has {', '.join(content) or 'nothing'})"
        )
    return content


def category_ids(
    categories: Sequence[Mapping[str, Any]],
    *,
    classes: Sequence[str] | None = None,
    source: str | Path = "the ground truth",
) -> dict[str, int]:
    """Category id of each class: of `classes` in their order, or else of all, ordered by id.

    Raises UserError if a class is not among the categories (the nearest names are offered), or if
    two categories have the same name. `source` names the file in the message.
    """
    twice = [name for name, count in Counter(c["name"] for c in categories).items() if count > 1]
    if twice:
        raise UserError(f"{source} has several categories named {twice[0]!r}: rename or merge them")
    ids = {c["name"]: c["id"] for c in sorted(categories, key=lambda category: category["id"])}
    if classes is None:
        return ids
    unknown = [name for name in classes if name not in ids]
    if unknown:
        raise UserError(f"{_unknown_class(unknown, list(ids))} in {source}")
    return {name: ids[name] for name in classes}


def _unknown_class(unknown: Sequence[str], known: Sequence[str]) -> str:
    lowered = {name.lower(): name for name in known}
    near = [
        lowered[match]
        for name in unknown
        for match in difflib.get_close_matches(name.lower(), lowered, n=1)
    ]
    names = ", ".join(map(repr, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
    if near:
        return f"no category {names} (did you mean {', '.join(map(repr, near[:5]))}?)"
    listed = ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "")
    return f"no category {names} among {listed}"
