"""What lies beside YOLO's labels: class names and splits, in a `data.yaml` or darknet's files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vitdet.datasets.formats.class_names import check_distinct, one_list, read_class_lists
from vitdet.datasets.formats.file_names import is_image, path_parts, stem_of
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import LabelledImage
from vitdet.datasets.formats.untrusted_files import BrokenLabelError, read_lines, read_yaml
from vitdet.errors import UserError

_SPLIT_KEYS = ("train", "val", "test")


@dataclass
class YoloDataset:
    """`splits` holds folders or image files of each split; `keypoints` their number and columns."""

    file: Path | None = None
    names: list[str] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    keypoints: tuple[int, int] | None = None
    lists: set[str] = field(default_factory=set)  # text files of file names

    def split_images(
        self, images: Sequence[LabelledImage], notes: Counter[str]
    ) -> list[LabelledImage]:
        """The images of the splits; one that two splits claim is there twice.

        Without splits all are returned, and folders decide.
        """
        if not self.splits:
            return list(images)
        found: list[LabelledImage] = []
        claimed: set[str] = set()
        for split, places in self.splits.items():
            files = {place for place in places if is_image(place)}
            prefixes = tuple(f"{place}/" if place else "" for place in set(places) - files)
            for image in images:
                if image.file in files or (prefixes and image.file.startswith(prefixes)):
                    found.append(replace(image, split=split) if image.file in claimed else image)
                    found[-1].split = split
                    claimed.add(image.file)
        left = [image for image in images if image.file not in claimed]
        notes["images that no split of the data set's file names: left out"] += len(left)
        return found


def read_dataset_files(tree: FolderTree, notes: Counter[str]) -> YoloDataset:
    """Read what there is of it, all of it optional.

    Raises UserError if two files of names differ, or if a `data.yaml` is broken.
    """
    lists = read_class_lists(tree)
    dataset = YoloDataset(names=one_list(tree.root, lists))
    described = [(name, content) for name in _yaml_files(tree) if (content := _content(tree, name))]
    if len(described) > 1:
        raise UserError(
            f"{tree.root} has several files that describe the data: {described[0][0]} and "
            f"{described[1][0]}; leave one there"
        )
    if described:
        name, content = described[0]
        dataset.file = tree.root / name
        dataset.names = one_list(tree.root, {name: _names(content, dataset.file), **lists})
        dataset.keypoints = _keypoints(content)
        _add_splits(dataset, tree, name, content, notes)
    else:
        _add_darknet_lists(dataset, tree)
    return dataset


def _yaml_files(tree: FolderTree) -> list[str]:
    inside = tree.with_suffix(".yaml", ".yml")
    beside = [p.name for p in tree.root.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file()]
    return sorted({*inside, *beside})


def _content(tree: FolderTree, name: str) -> dict[str, Any] | None:
    """What the file says if it describes data; None if it is of something else."""
    try:
        content = read_yaml(tree.root / name)
    except BrokenLabelError as error:
        if stem_of(name) in ("data", "dataset"):
            raise UserError(f"{tree.root / name} {error}") from None
        return None
    if not isinstance(content, dict) or not content.get("names"):
        return None
    places = [content.get(key) for key in _SPLIT_KEYS]
    return None if any(isinstance(place, dict) for place in places) else content


def _names(content: dict[str, Any], path: Path) -> list[str]:
    names = content["names"]
    if isinstance(names, dict):
        try:
            numbered = {int(number): name for number, name in names.items()}
        except ValueError:
            raise UserError(f"{path}: names wants numbers with names, such as 0: cat") from None
        if min(numbered) < 0 or max(numbered) > 100_000:
            raise UserError(f"{path}: names has numbers from {min(numbered)} to {max(numbered)}")
        names = [numbered.get(k, f"class {k}") for k in range(max(numbered) + 1)]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: names wants a list of names")
    check_distinct(names, path)
    count = content.get("nc")
    if count is not None and count != str(len(names)):
        raise UserError(f"{path}: nc is {count}, but names has {len(names)}: correct one of them")
    return names


def _keypoints(content: dict[str, Any]) -> tuple[int, int] | None:
    shape = content.get("kpt_shape")
    if isinstance(shape, list) and len(shape) == 2 and shape[1] in ("2", "3"):
        number = shape[0] if isinstance(shape[0], str) and len(shape[0]) < 6 else ""
        return (int(number), int(shape[1])) if number.isdecimal() else None
    return None


def _add_splits(
    dataset: YoloDataset, tree: FolderTree, name: str, content: dict[str, Any], notes: Counter[str]
) -> None:
    base = content.get("path") or ""
    base = base if isinstance(base, str) else ""
    for split in _SPLIT_KEYS:
        key = "valid" if split == "val" and "val" not in content else split
        value = content.get(key)
        for place in value if isinstance(value, list) else [value] if value else []:
            if not isinstance(place, str):
                raise UserError(f"{tree.root / name}: {key} wants a folder, or a list of folders")
            found = _places(dataset, tree, name, base, place)
            if found:
                dataset.splits.setdefault(split, []).extend(found)
            else:
                notes[f"split of {name} is not in the folder: {key}: {place}"] += 1


def _places(dataset: YoloDataset, tree: FolderTree, name: str, base: str, place: str) -> list[str]:
    """Folder or files that `place` means. Paths of other computers are found by their end."""
    if place.lower().endswith(".txt"):
        files = {*tree.with_suffix(".txt"), *(p.name for p in tree.root.glob("*.txt"))}
        called = [text for text in files if path_parts(text)[-1] == path_parts(place)[-1]]
        return _read_list(dataset, tree, min(called, key=len)) if called else []
    for text in (f"{base}/{place}", place):
        folder = tree.folder_by_name(text, near=name)
        if folder is not None:
            return [folder]
    return []


def _read_list(dataset: YoloDataset, tree: FolderTree, name: str) -> list[str]:
    dataset.lists.add(name)
    found = (tree.image_by_name(line, near=name) for line in read_lines(tree.root / name))
    return [file for file in found if file is not None]


def _add_darknet_lists(dataset: YoloDataset, tree: FolderTree) -> None:
    """`train.txt`, `valid.txt` and so on: names of image files, one a line."""
    for name in tree.with_suffix(".txt"):
        split = {"train": "train", "val": "val", "valid": "val", "test": "test"}.get(stem_of(name))
        if split is None or tree.image_by_stem(stem_of(name), near=name):
            continue
        files = _read_list(dataset, tree, name)
        if files:
            dataset.splits[split] = files
