"""Batches of images of different sizes for segmentors.

Breaks: mmseg (<= 1.2) asserts that all images of a test batch have one size, which those of real
data sets have not. Here each size is predicted by itself, so that an image's result does not depend
on its neighbours. Delete when mmseg does either that or padding.

Its UperNet R18 and BiSeNetV2 OHEM configs leave open what training images are padded to, which it
asserts, too: here the largest of the batch. Delete when the configs say.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


def _patch(base: ModuleType) -> None:
    for name in ("test_step", "val_step"):
        setattr(base.BaseSegmentor, name, _size_by_size(getattr(base.BaseSegmentor, name)))


def _size_by_size(original: Callable[..., list]) -> Callable[..., list]:
    @functools.wraps(original)
    def step(self: Any, data: dict[str, Any]) -> list:
        sizes = [tuple(image.shape[-2:]) for image in data["inputs"]]
        if len(set(sizes)) < 2:
            return original(self, data)
        results: list = [None] * len(sizes)
        for size in dict.fromkeys(sizes):
            places = [place for place, other in enumerate(sizes) if other == size]
            part = {key: [values[place] for place in places] for key, values in data.items()}
            for place, result in zip(places, original(self, part), strict=True):
                results[place] = result
        return results

    return step


def _pad_to_the_largest(module: ModuleType) -> None:
    original = module.stack_batch

    @functools.wraps(original)
    def stack_batch(
        inputs: list,
        data_samples: list | None = None,
        size: tuple | None = None,
        size_divisor: int | None = None,
        **settings: Any,
    ) -> tuple:
        if size is None and size_divisor is None:
            size_divisor = 1
        return original(inputs, data_samples, size, size_divisor, **settings)

    module.stack_batch = stack_batch


def install() -> None:
    """Register the patches of mmseg's `BaseSegmentor` and of its preprocessor's batches."""
    when_imported("mmseg.models.segmentors.base", _patch)
    when_imported("mmseg.models.data_preprocessor", _pad_to_the_largest)
