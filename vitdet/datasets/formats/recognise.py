"""Which format a folder of labels is in, and reading it."""

from pathlib import Path
from types import ModuleType

from vitdet.datasets.coco_files import listing
from vitdet.datasets.formats import coco, cvat, labelme, via, voc, yolo
from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.splits import split_by_list
from vitdet.errors import UserError

# Each has `evidence(tree)`, the files that speak for it, `read(tree)`, and `LOOKED_FOR`.
FORMATS: dict[str, ModuleType] = {
    "COCO": coco,
    "Pascal VOC": voc,
    "YOLO": yolo,
    "LabelMe": labelme,
    "VIA": via,
    "CVAT": cvat,
}


def read_folder(root: str | Path, *, split_file: str | Path | None = None) -> DataFolder:
    """Read annotations in whichever known format they are.

    `root` is a folder, a single annotation file, or a folder of label files whose images lie
    beside it. Splits are those of the format (`data.yaml`, VOC's `ImageSets/Main`), else of folders
    called train, val or test, else there is one, "all"; `split_file` names, one a line, the images
    of it that are to be "val".

    One broken label file of many does not stop the reading; see `CocoSplit`.

    Raises:
        UserError: there is nothing that is known here, or two formats side by side, or what all
            images depend on cannot be read.
    """
    tree = FolderTree(root)
    found = {name: files for name, form in FORMATS.items() if (files := form.evidence(tree))}
    if len(found) > 1:
        seen = " and ".join(f"{name} ({files[0]})" for name, files in found.items())
        raise UserError(
            f"{tree.given} holds labels in several formats, {seen}: give the file or folder that "
            f"is meant, such as {_of_one(tree, next(iter(found.values()))[0])}"
        )
    if not found:
        coco.explain(tree)
        raise UserError(_nothing_found(tree))
    folder = FORMATS[next(iter(found))].read(tree)
    return folder if split_file is None else split_by_list(folder, Path(split_file))


def _of_one(tree: FolderTree, name: str) -> Path:
    """What to give for the format of a label file: a json itself, else its folder."""
    path = tree.root / name
    return path if name.endswith(".json") or path.parent == tree.root else path.parent


def _nothing_found(tree: FolderTree) -> str:
    looked_for = ", ".join(form.LOOKED_FOR for form in FORMATS.values())
    if tree.single:
        return f"{tree.given} is of no format known here: looked for {looked_for}"
    return f"no labels in {tree.given}: looked for {looked_for}; found {listing(tree.given)}"
