"""COCO annotation files: reading them, and finding them and their images in a folder."""

import difflib
import json
import logging
import mmap
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from typing import Any

from vitdet.errors import UserError

VAL_NAMES = ("val", "valid", "validation")
# Where a split's annotations lie, most explicit first; {} is the split's name.
ANN_PATTERNS = (
    "{}.json",
    "annotations/{}.json",
    "annotations/instances_{}.json",
    "annotations/instances_{}2017.json",
    "annotations/instances_{}*.json",
    "{}/_annotations.coco.json",  # Roboflow
    "{}/annotations.json",
)
UNSPLIT_PATTERNS = ("annotations/instances*.json", "instances*.json", "_annotations.coco.json")
_KEPT: ContextVar[dict[Any, Any] | None] = ContextVar("contents of annotation files", default=None)
_MAX_COMPARED = 250  # characters of a name; looking for near ones takes the square of it
_IMAGE_FOLDERS = ("images", "images/{}", "", "{}", "{}2017", "images/{}2017", "{}/images")


def warn_of_no_val(root: Path, ann_file: Path) -> None:
    """Say that `ann_file`, of the training data under `root`, is what is evaluated on."""
    from mmengine.logging import print_log  # imports torch, which a check of data does without

    print_log(
        f"{root} has no val annotations beside {ann_file.relative_to(root)}: the training images "
        "are evaluated on, which tells nothing about new images",
        logger="current",
        level=logging.WARNING,
    )


def read_coco(ann_file: str | Path) -> dict[str, Any]:
    """Read a COCO annotation file: `images`, `annotations` and `categories` are there.

    Raises UserError if it is missing, is not JSON, or is not in COCO's format.
    """
    content = _content_of(ann_file)
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
            f"{' and '.join(map(repr, missing))} (it has {_some_keys(content)})"
        )
    if not all(isinstance(c, dict) and {"id", "name"} <= c.keys() for c in content["categories"]):
        raise UserError(f"{ann_file}: every category needs an id and a name")
    return content


@contextmanager
def annotations_kept() -> Iterator[None]:
    """Read each annotation file once only, while this lasts: of COCO's size one takes seconds.

    `read_coco` then returns what it returned before, which nobody may change.
    """
    if _KEPT.get() is not None:
        yield
        return
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def _content_of(ann_file: str | Path) -> Any:
    kept = _KEPT.get()
    if kept is None or not os.path.isfile(ann_file):
        return _read_json(ann_file)
    state = os.stat(ann_file)
    key = (os.path.realpath(ann_file), state.st_mtime_ns, state.st_size)
    if key not in kept:
        kept[key] = _read_json(ann_file)
    return kept[key]


def _some_keys(content: Mapping[str, Any]) -> str:
    return some((shown(key) for key in content), limit=8) or "nothing"


def _read_json(ann_file: str | Path) -> Any:
    if os.path.exists(ann_file) and not (os.path.isfile(ann_file) or os.path.isdir(ann_file)):
        raise UserError(f"{ann_file} is a pipe or a device, not an annotation file")
    try:
        content = Path(ann_file).read_bytes()
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        del content  # hundreds of megabytes, not needed beside the text and what it becomes
        return json.loads(text)
    except FileNotFoundError:
        raise UserError(f"annotation file not found: {ann_file}") from None
    except IsADirectoryError:
        raise UserError(f"{ann_file} is a folder; give the annotation file in it") from None
    except OSError as error:
        raise UserError(f"{ann_file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{ann_file} is not JSON: not text ({error.reason})") from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"{ann_file} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise UserError(f"{ann_file} is no annotation file: brackets lie too deep in it") from None
    except ValueError:
        raise UserError(f"{ann_file} has a number of thousands of digits: correct it") from None


def read_categories(ann_file: str | Path) -> list[str]:
    """Class names of an annotation file, ordered by category id. Raises what `read_coco` does."""
    return list(class_ids(read_coco(ann_file), source=ann_file))


def check_categories(categories: Sequence[Mapping[str, Any]], source: str | Path) -> None:
    """Raises UserError if two categories have the same name, or one has an id that is no whole
    number or a name that is no text."""
    for category in categories:
        if type(category["id"]) is not int or not isinstance(category["name"], str):
            raise UserError(
                f"{source} has a category with id {shown(category['id'])} and name "
                f"{shown(category['name'])}: ids are whole numbers, names texts"
            )
    twice = [name for name, count in Counter(c["name"] for c in categories).items() if count > 1]
    if twice:
        raise UserError(
            f"{source} has several categories named {shown(twice[0])}: rename or merge them"
        )


def class_ids(
    content: Mapping[str, Any],
    *,
    classes: Sequence[str] | None = None,
    source: str | Path = "the ground truth",
) -> dict[str, int]:
    """Category id of each class: of `classes` in their order, or else of all, ordered by id.

    Left out, unless `classes` names it, is the root that Roboflow puts above the real categories:
    nothing is annotated with it, and as a class it would only count as never found.

    Raises UserError if a class is not among the categories (the nearest names are offered), if two
    categories have the same name, or one has an id that is no whole number or a name that is no
    text. `source` names the file in the message.
    """
    categories = content["categories"]
    check_categories(categories, source)
    ids = {c["name"]: c["id"] for c in sorted(categories, key=lambda category: category["id"])}
    if classes is None:
        # Nothing has checked these values yet: they need not be hashable.
        above = [(c.get("supercategory"), c["name"]) for c in categories]
        parents = {parent for parent, name in above if isinstance(parent, str) and parent != name}
        roots = {c["id"] for c in categories if c["name"] in parents}
        if roots:
            used = (ann["category_id"] for ann in content["annotations"])
            roots -= {category_id for category_id in used if isinstance(category_id, int)}
        return {name: category_id for name, category_id in ids.items() if category_id not in roots}
    unknown = [name for name in classes if name not in ids]
    if unknown:
        raise UserError(f"{_unknown_classes(unknown, list(ids))} in {source}")
    return {name: ids[name] for name in classes}


def shown(value: Any, *, limit: int = 60) -> str:
    """A value out of a file, which may be of any length, for a message of one line."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 4]} ..."


def some(items: Iterable[Any], *, limit: int = 5) -> str:
    """The first few of many things, for a message of one line."""
    items = list(items)
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(map(str, items[:limit])) + more


def _unknown_classes(unknown: Sequence[str], known: Sequence[str]) -> str:
    lowered = {name.lower()[:_MAX_COMPARED]: name for name in known}
    near = [
        lowered[match]
        for name in unknown
        for match in difflib.get_close_matches(str(name).lower()[:_MAX_COMPARED], lowered, n=1)
    ]
    if near:
        return f"no category {some(map(repr, unknown))} (did you mean {some(map(repr, near))}?)"
    return f"no category {some(map(repr, unknown))} among {some(map(repr, known), limit=8)}"


def find_split(root: Path, names: Sequence[str], patterns: Sequence[str]) -> Path | None:
    """The annotation file of a split that goes by one of `names`, by the first pattern that fits.

    Raises UserError where a pattern fits several files: which of them is meant is not ours to say.
    """
    for pattern in patterns:
        for name in names:
            # instances_train*.json is not to find instances_trainval.json
            found = [p for p in root.glob(pattern.format(name)) if f"{name}val" not in p.name]
            if len(found) > 1:
                files = some(sorted(str(path.relative_to(root)) for path in found))
                raise UserError(
                    f"{root} has several annotation files for one split ({files}): "
                    "leave one there, or set ann_file in the config"
                )
            if found:
                return found[0]
    return None


def find_images(
    root: Path,
    ann_file: Path,
    names: Sequence[str],
    *,
    file_names: Sequence[str] | None = None,
) -> Path:
    """The folder that holds the images of `ann_file`, judged by some of their file names."""
    file_names = file_names or _first_file_names(ann_file)
    folders = [root / pattern.format(name) for pattern in _IMAGE_FOLDERS for name in names]
    folders = list(dict.fromkeys([*folders, ann_file.parent, ann_file.parent / "images"]))
    hits = {folder: sum(os.path.isfile(folder / name) for name in file_names) for folder in folders}
    best = max(hits, key=hits.__getitem__)
    if hits[best] == 0:
        looked_in = some(sorted({f"{folder.relative_to(root)}/" for folder in folders}), limit=20)
        raise UserError(
            f"images of {ann_file} not found: no {shown(file_names[0])} in {root}, nor in "
            f"{looked_in}"
        )
    return best


def _first_file_names(ann_file: Path, *, limit: int = 50) -> list[str]:
    """Some of the images' file names, without parsing what may be half a gigabyte."""
    pattern = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
    if ann_file.stat().st_size:
        with ann_file.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
            found = [match[1] for match in islice(pattern.finditer(m), limit)]
        try:
            names = [json.loads(text) for text in found]
        except ValueError:  # no text after all
            names = []
        if names:
            return names
    read_coco(ann_file)  # says what is wrong with the file, if it is more than this
    raise UserError(f"{ann_file} lists no images with a file_name")


def listing(root: Path) -> str:
    """The first entries of a folder, for a message of one line."""
    entries = sorted(entry.name + "/" * os.path.isdir(entry) for entry in os.scandir(root))
    return some(entries, limit=8) or "an empty folder"
