"""Fill in the sizes of a segmentor's config that follow from the crop it is trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from vitdet.engine.config_parts import datasets_of
from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError

_MODES = ("whole", "slide")


def set_crop_size(config: Config) -> None:
    """Give the batches of a segmentor the size of the crops it is trained on, in place.

    That is the preprocessor's `size`, to which images smaller than a crop are padded; where the
    pipeline crops nothing, images are padded to the largest of their batch. In sliding-window
    inference (`model.test_cfg.mode=slide`) the crop is also the window's `crop_size`; its `stride`
    is two thirds of it. What the config states is kept.

    Raises:
        UserError: an unknown mode, windows that leave gaps, or windows without a size.
    """
    model, scope = config["model"], config["default_scope"]
    if "decode_head" not in model:
        return
    crop = _training_crop(config)
    preprocessor = model.get("data_preprocessor")
    if preprocessor is not None and _leaves_size_open(preprocessor, scope):
        preprocessor.update(dict(size=crop) if crop else dict(size_divisor=1))
    test_cfg = model.get("test_cfg")
    if test_cfg is not None:
        _set_windows(test_cfg, crop)


def _training_crop(config: Config) -> tuple[int, int] | None:
    """(height, width) of the training pipeline's RandomCrop."""
    node = dict(datasets_of(config)).get("train") or {}
    for step in node.get("pipeline") or ():
        size = step.get("crop_size")
        if size is not None:
            return (size, size) if isinstance(size, int) else tuple(size)
    return None


def _leaves_size_open(preprocessor: Mapping[str, Any], scope: str) -> bool:
    return (
        preprocessor.get("size") is None
        and preprocessor.get("size_divisor") is None
        and "size" in parameters_of(class_of(preprocessor, scope))
    )


def _set_windows(test_cfg: Any, crop: tuple[int, int] | None) -> None:
    mode = test_cfg.get("mode", "whole")
    if mode not in _MODES:
        raise UserError(f"model.test_cfg.mode is {mode!r}; it can be {' or '.join(_MODES)}")
    if mode != "slide":
        return
    window = _pair(test_cfg.get("crop_size")) or crop
    if window is None:
        raise UserError(
            "model.test_cfg.mode=slide needs model.test_cfg.crop_size=HEIGHT,WIDTH: the training "
            "pipeline has no RandomCrop that tells it"
        )
    stride = _pair(test_cfg.get("stride")) or tuple(max(1, side * 2 // 3) for side in window)
    if any(step > side for step, side in zip(stride, window, strict=True)):
        raise UserError(
            f"model.test_cfg.stride {stride} leaves gaps between windows of {window}: it can be at "
            "most model.test_cfg.crop_size"
        )
    test_cfg.update(crop_size=window, stride=stride)


def _pair(size: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else tuple(size)
