"""The differentiable operators that models reach, each with a tiny batch to try it on.

No sample lies near a pixel's centre and no two pixels are equal: there derivatives jump.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from mmcv.ops import (
    carafe,
    deform_conv2d,
    deform_roi_pool,
    modulated_deform_conv2d,
    roi_align,
    roi_pool,
    sigmoid_focal_loss,
)
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from mmcv.ops.psa_mask import psa_mask
from torch import Tensor

BATCH_SIZE = 3


@dataclass(frozen=True)
class Operator:
    """A call and its operands; `call(*per_image, *shared, *constants)` gives (B, ...).

    Attributes:
        per_image: differentiable operands of the images, each (B, ...).
        shared: differentiable operands of all images alike: weight and bias.
        constants: operands of the images without a derivative, each (B, ...).
    """

    call: Callable[..., Tensor]
    per_image: tuple[Tensor, ...]
    shared: tuple[Tensor, ...] = ()
    constants: tuple[Tensor, ...] = ()

    def leaves(self) -> list[Tensor]:
        """Copies of the differentiable operands, ready for autograd."""
        return [tensor.clone().requires_grad_() for tensor in (*self.per_image, *self.shared)]

    def output(self, leaves: list[Tensor]) -> Tensor:
        return self.call(*leaves, *self.constants)

    def of_image(self, index: int) -> "Operator":
        """The same operator on one image alone."""
        return self._of(torch.tensor([index]))

    def reversed(self) -> "Operator":
        """The same operator on the same images, the last one first."""
        return self._of(torch.arange(BATCH_SIZE).flip(0))

    def _of(self, images: Tensor) -> "Operator":
        per_image, constants = (
            tuple(tensor[images] for tensor in tensors)
            for tensors in (self.per_image, self.constants)
        )
        return replace(self, per_image=per_image, constants=constants)


def rows_of(rois: Tensor) -> Tensor:
    """Boxes of each image (B, R, 4) as mmcv's rows (B * R, 5), with the image's index first."""
    index = torch.arange(rois.size(0)).repeat_interleave(rois.size(1))
    return torch.cat([index[:, None].to(rois), rois.flatten(0, 1)], dim=1)


def pool_bins(pool: Callable[..., Tensor], x: Tensor, rois: Tensor) -> Tensor:
    return pool(x, rows_of(rois)).unflatten(0, rois.shape[:2])


def pool_moved_bins(x: Tensor, offset: Tensor, rois: Tensor) -> Tensor:
    pooled = deform_roi_pool(x, rows_of(rois), offset.flatten(0, 1), (2, 3), 0.5, 2, 0.1)
    return pooled.unflatten(0, rois.shape[:2])


def convolve(x: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    return deform_conv2d(x, offset, weight, 2, 1, 1, 2, 2)


def convolve_modulated(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    return modulated_deform_conv2d(x, offset, mask, weight, bias, 2, 1, 1, 2, 2)


SHAPES = torch.tensor([[4, 5], [2, 3]])
STARTS = torch.tensor([0, 20])


def attend(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    return MultiScaleDeformableAttnFunction.apply(value, SHAPES, STARTS, locations, weights, 64)


def sigmoid_loss(logits: Tensor, target: Tensor) -> Tensor:
    return sigmoid_focal_loss(logits, target, 2.0, 0.25, None, "none")


def make_operators() -> dict[str, Operator]:
    random = partial(torch.rand, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def between_pixels(*shape: int) -> Tensor:
        """Numbers of pixels, from 2 before to 2 after, none near a whole one."""
        return (4 * random(shape) - 2).floor() + 0.2 + 0.6 * random(shape)

    feature_map = random((BATCH_SIZE, 4, 3, 4))
    corner = 5 * random((BATCH_SIZE, 2, 2)) - 2  # some rois reach over the border
    rois = torch.cat([corner, corner + 1 + 5 * random(corner.shape)], dim=2)
    offset, mask = between_pixels(BATCH_SIZE, 16, 2, 3), random((BATCH_SIZE, 8, 2, 3))
    weight, bias = random((4, 2, 2, 2)), random((4,))
    sizes = SHAPES.flip(1)[:, None]
    pixels = (sizes + 2) * random((BATCH_SIZE, 2, 2, 2, 2, 2)) - 1
    locations = (pixels.floor() + 0.7 + 0.6 * random(pixels.shape)) / sizes
    target = torch.tensor([2, 4, 0])  # 4 is the background

    def pooling(pool: Callable[..., Tensor]) -> Operator:
        return Operator(partial(pool_bins, pool), (feature_map,), constants=(rois,))

    return {
        "roi_align_mean": pooling(lambda x, r: roi_align(x, r, (2, 3), 0.5, 0, "avg", True)),
        "roi_align_max": pooling(lambda x, r: roi_align(x, r, (2, 3), 0.5, 0, "max", True)),
        "roi_pool": pooling(lambda x, r: roi_pool(x, r, (2, 3), 0.5)),
        "deform_roi_pool": Operator(
            pool_moved_bins, (feature_map, random((BATCH_SIZE, 2, 2, 2, 3))), constants=(rois,)
        ),
        "deform_conv": Operator(convolve, (feature_map, offset), (weight,)),
        "modulated_deform_conv": Operator(
            convolve_modulated, (feature_map, offset, mask), (weight, bias)
        ),
        "ms_deform_attn": Operator(
            attend,
            (random((BATCH_SIZE, 26, 2, 2)), locations, random(locations.shape[:-1])),
        ),
        "carafe": Operator(
            lambda x, kernels: carafe(x, kernels, 3, 2, 2),
            (feature_map[:, :, :2, :3], random((BATCH_SIZE, 18, 4, 6))),
        ),
        "psa_mask_collect": Operator(
            lambda x: psa_mask(x, 0, (5, 3)), (random((BATCH_SIZE, 15, 4, 3)),)
        ),
        "psa_mask_distribute": Operator(
            lambda x: psa_mask(x, 1, (5, 3)), (random((BATCH_SIZE, 15, 4, 3)),)
        ),
        "sigmoid_focal_loss": Operator(
            sigmoid_loss, (4 * random((BATCH_SIZE, 4)) - 2,), constants=(target,)
        ),
    }


OPERATORS = make_operators()
