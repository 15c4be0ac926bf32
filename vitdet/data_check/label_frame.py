"""Which frame labels are in where an entry gives another size of the image than its file has."""

from collections.abc import Mapping

import numpy as np

from vitdet.data_check.columns import Columns

# A label may reach a little over the border; single wrong labels decide nothing.
_TOLERANCE = 1.02
_FEW_IMAGES = 0.05


def resized_images(columns: Columns, file_sizes: Mapping[int, tuple[int, int]]) -> set[int]:
    """Rows of images that were made larger or smaller after they had been labelled.

    Both sizes have the same aspect ratio then, and the labels of these images fit the written
    size: where files are larger than written, all labels stay within the written size; where they
    are smaller, some reach over the file's border. Else the labels are the file's, and only the
    written size is wrong.

    Args:
        columns: of one split.
        file_sizes: width and height by row, upright, of files whose size is not the written one.
    """
    alike = {
        row: size for row, size in file_sizes.items() if _is_alike(columns.written_size[row], size)
    }
    larger = {row for row, size in alike.items() if size[0] > columns.written_size[row][0]}
    smaller = alike.keys() - larger
    if not alike:
        return set()
    # By the written sizes, whatever `columns` is judged by later.
    boxes = Columns(columns.split, columns.root).boxes
    ends = boxes[:, :2] + boxes[:, 2:]
    reach = np.zeros((len(columns.images) + 1, 2))  # the last row is of no image
    np.maximum.at(reach, columns.ann_image, np.nan_to_num(ends, posinf=0))
    resized = set()
    if larger and _share_beyond(reach, {row: columns.written_size[row] for row in larger}) == 0:
        resized |= larger
    if smaller and _share_beyond(reach, {row: alike[row] for row in smaller}) > 0:
        resized |= smaller
    return resized


def _is_alike(written: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether one is the other in another size, up to the rounding of its sides."""
    scale = size[0] / written[0]
    return abs(written[1] * scale - size[1]) <= max(1.0, scale)


def _share_beyond(reach: np.ndarray, sizes: Mapping[int, np.ndarray | tuple[int, int]]) -> float:
    """Share of the images with labels beyond a size; 0 if these are but a few of many."""
    rows = list(sizes)
    beyond = (reach[rows] > _TOLERANCE * np.array(list(sizes.values()))).any(axis=1)
    share = float(beyond.mean())
    return share if share > _FEW_IMAGES else 0.0
