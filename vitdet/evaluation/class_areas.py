"""Pixels per class of a predicted and a true label map: all that IoU, dice and F-score need."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vitdet.errors import UserError


def count_pixels(
    predicted: Tensor, truth: Tensor, *, num_classes: int, ignore_index: int
) -> Tensor:
    """Count the pixels of each pair of classes, without those whose true label is `ignore_index`.

    Args:
        predicted: (H, W) classes, integers from 0 to num_classes - 1.
        truth: (H, W) classes, on the same device, or `ignore_index`, which may be a class.
        num_classes: K.
        ignore_index: the label whose pixels do not count.

    Returns:
        (K, K) int64 on the CPU, true x predicted class.

    Raises:
        UserError: the maps differ in size, or a value in one of them is no class.
    """
    if predicted.shape != truth.shape:
        sizes = " and ".join("x".join(map(str, map_.shape)) for map_ in (predicted, truth))
        raise UserError(f"predicted and true label map differ in height x width: {sizes}")
    is_counted = truth != ignore_index
    rows, columns = truth.long().where(is_counted, 0), predicted.long()
    if rows.numel():
        extremes = torch.stack([*rows.aminmax(), *columns.aminmax()]).tolist()
        _check(extremes, num_classes, ignore_index)
    # One pass fills a table of true x predicted class, and one more bin with what is ignored.
    size = num_classes**2
    bins = torch.add(columns, rows, alpha=num_classes).where(is_counted, size).flatten()
    return bins.bincount(minlength=size + 1)[:size].view(num_classes, num_classes).cpu()


def areas_of(table: Tensor) -> Tensor:
    """Areas of the classes, of a table (K, K) of true x predicted class.

    (3, K): pixels where both have the class, where the prediction has it, where the truth has it.
    """
    return torch.stack([table.diagonal(), table.sum(0), table.sum(1)])


def _check(extremes: Sequence[int], num_classes: int, ignore_index: int) -> None:
    least, most, least_predicted, most_predicted = extremes
    classes = f"the {num_classes} classes are 0 to {num_classes - 1}"
    if least < 0 or most >= num_classes:
        raise UserError(
            f"true label {least if least < 0 else most}, but {classes}, and only "
            f"{ignore_index} is ignored; correct the label file, the classes or ignore_index"
        )
    if least_predicted < 0 or most_predicted >= num_classes:
        raise UserError(
            f"predicted class {least_predicted if least_predicted < 0 else most_predicted}, "
            f"but {classes}; model and data need the same number of classes"
        )
