"""Masks of boxes that lie outside the image.

Breaks: on a CPU mmdet 3.3 pastes each mask into the part of the image that its box takes; of a box
outside there is none, and QueryInst's boxes may lie there. Delete when `_do_paste_mask` takes them.
"""

from types import ModuleType

from torch import Tensor

from vitdet.compat.hooks import when_imported


def _patch(module: ModuleType) -> None:
    paste = module._do_paste_mask

    def paste_where_there_is_image(
        masks: Tensor, boxes: Tensor, img_h: int, img_w: int, skip_empty: bool = True
    ) -> tuple[Tensor, tuple[slice, ...]]:
        (left, top), (right, bottom) = boxes[:, :2].amin(0), boxes[:, 2:].amax(0)
        is_inside = left < img_w and top < img_h and right > 0 and bottom > 0
        return paste(masks, boxes, img_h, img_w, skip_empty and bool(is_inside))

    module._do_paste_mask = paste_where_there_is_image


def install() -> None:
    """Register the patch of the function that mmdet's mask heads share."""
    when_imported("mmdet.models.roi_heads.mask_heads.fcn_mask_head", _patch)
