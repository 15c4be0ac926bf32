"""Multi-scale deformable attention on a CPU, through the same function as on a GPU.

Slow: off the GPU mmcv (<= 2.2) composes it of `grid_sample`, which takes 3 to 5 times as long as
our kernel and much memory. Delete when mmcv calls its own function on CPUs too.
"""

import functools
from types import ModuleType
from typing import TYPE_CHECKING

from vitdet.compat.hooks import when_imported

if TYPE_CHECKING:
    from torch import Tensor


def _patch(module: ModuleType) -> None:
    composed = module.multi_scale_deformable_attn_pytorch

    @functools.wraps(composed)
    def attend(
        value: "Tensor",
        value_spatial_shapes: "Tensor",
        sampling_locations: "Tensor",
        attention_weights: "Tensor",
    ) -> "Tensor":
        import torch

        if value.device.type != "cpu":
            return composed(value, value_spatial_shapes, sampling_locations, attention_weights)
        shapes = torch.as_tensor(value_spatial_shapes)
        ends = shapes.prod(dim=1).cumsum(0)
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        return module.MultiScaleDeformableAttnFunction.apply(
            value, shapes, starts, sampling_locations, attention_weights, len(value)
        )

    module.multi_scale_deformable_attn_pytorch = attend


def install() -> None:
    when_imported("mmcv.ops.multi_scale_deform_attn", _patch)
