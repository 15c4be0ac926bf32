"""mmseg's cross-entropy of weighted classes where some pixels are ignored.

Breaks: mmseg (<= 1.2) looks the weight of every label up to average over them, 255 included, so
that CGNet cannot be trained on Cityscapes. Delete when it leaves ignored labels out.
"""

import functools
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vitdet.compat.hooks import when_imported

if TYPE_CHECKING:
    from torch import Tensor


def _patch(module: ModuleType) -> None:
    original = module.cross_entropy

    @functools.wraps(original)
    def cross_entropy(
        pred: Any,
        label: Any,
        weight: Any = None,
        class_weight: Any = None,
        reduction: str = "mean",
        avg_factor: Any = None,
        ignore_index: int = -100,
        avg_non_ignore: bool = False,
    ) -> Any:
        if class_weight is not None and reduction == "mean" and avg_factor is None:
            avg_factor = _total_weight(label, class_weight, ignore_index, avg_non_ignore)
        return original(
            pred, label, weight, class_weight, reduction, avg_factor, ignore_index, avg_non_ignore
        )

    module.cross_entropy = cross_entropy


def _total_weight(
    label: "Tensor", class_weight: "Tensor", ignore_index: int, avg_non_ignore: bool
) -> "Tensor":
    """Sum of the weights of all pixels' classes, by which the loss is divided.

    An ignored pixel counts as an average class, so that equal weights change nothing (mmseg's loss
    without weights is divided by the number of all pixels), or, with `avg_non_ignore`, not at all.

    label: (B, ...)
    class_weight: (K,)
    """
    is_ignored = label == ignore_index
    weights = class_weight[label.masked_fill(is_ignored, 0)]
    of_ignored = class_weight.new_zeros(()) if avg_non_ignore else class_weight.mean()
    return weights.where(~is_ignored, of_ignored).sum()


def install() -> None:
    """Register the patch of mmseg's loss."""
    when_imported("mmseg.models.losses.cross_entropy_loss", _patch)
