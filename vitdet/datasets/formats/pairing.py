"""Which image a label file is of, where each image has its own."""

from collections import Counter
from collections.abc import Sequence

from vitdet.datasets.formats.file_names import folder_of
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.labelled_image import LabelledImage
from vitdet.errors import UserError


def check_one_label_each(tree: FolderTree, images: Sequence[LabelledImage]) -> None:
    """Raises UserError if two label files are of one image: its objects would count twice."""
    first: dict[str, str] = {}
    twice = []
    for image in images:
        other = first.setdefault(image.file, image.label_file or "")
        if other != image.label_file:
            twice.append((image.file, other, image.label_file))
    if twice:
        file, one, two = twice[0]
        raise UserError(
            f"{tree.root} has two label files for {len(twice)} images: {file} has {one} and {two}; "
            "leave one of them, or give the folder of the right ones"
        )


def with_unlabelled(
    tree: FolderTree, images: Sequence[LabelledImage], notes: Counter[str]
) -> list[LabelledImage]:
    """Add the images that have no label file, out of folders where others have one.

    Of other folders nothing says that they are of the data: they may hold masks or drawings.
    """
    if tree.single:
        return list(images)
    labelled = {image.file for image in images}
    folders = {folder_of(name) for name in labelled & tree.images_set}
    bare = [name for name in tree.images if name not in labelled and folder_of(name) in folders]
    notes["images without a label file: taken as images without objects"] += len(bare)
    return [*images, *(LabelledImage(name) for name in bare)]
