"""The functions of `mmcv._ext` (mmcv 2.1) on torch and torchvision kernels, one file per op.

Names, argument names and the habit of filling tensors the caller allocated are mmcv's, whose Python
side calls these functions; scratch tensors it hands over are left alone unless a file says so.
Every function takes any device, any memory layout and empty inputs.
"""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops import (
    box_iou,
    build_info,
    carafe,
    deform_conv,
    deform_roi_pool,
    focal_loss,
    masked_conv,
    ms_deform_attn,
    nms,
    nms_match,
    psa_mask,
    roi_align,
    roi_pool,
    soft_nms,
    sync_bn,
    unsupported,
)

_SUPPLIED = (
    box_iou.bbox_overlaps,
    build_info.get_compiler_version,
    build_info.get_compiling_cuda_version,
    carafe.carafe_backward,
    carafe.carafe_forward,
    carafe.carafe_naive_backward,
    carafe.carafe_naive_forward,
    deform_conv.deform_conv_backward_input,
    deform_conv.deform_conv_backward_parameters,
    deform_conv.deform_conv_forward,
    deform_conv.modulated_deform_conv_backward,
    deform_conv.modulated_deform_conv_forward,
    deform_roi_pool.deform_roi_pool_backward,
    deform_roi_pool.deform_roi_pool_forward,
    focal_loss.sigmoid_focal_loss_backward,
    focal_loss.sigmoid_focal_loss_forward,
    focal_loss.softmax_focal_loss_backward,
    focal_loss.softmax_focal_loss_forward,
    masked_conv.masked_col2im_forward,
    masked_conv.masked_im2col_forward,
    ms_deform_attn.ms_deform_attn_backward,
    ms_deform_attn.ms_deform_attn_forward,
    nms.nms,
    nms_match.nms_match,
    psa_mask.psamask_backward,
    psa_mask.psamask_forward,
    roi_align.roi_align_backward,
    roi_align.roi_align_forward,
    roi_pool.roi_pool_backward,
    roi_pool.roi_pool_forward,
    soft_nms.softnms,
    sync_bn.sync_bn_backward_data,
    sync_bn.sync_bn_backward_param,
    sync_bn.sync_bn_forward_mean,
    sync_bn.sync_bn_forward_output,
    sync_bn.sync_bn_forward_var,
)
OPS = {function.__name__: function for function in _SUPPLIED}

# Their steps depend on values, so what `torch.compile` records of them holds for those values only.
_OPAQUE = {
    deform_roi_pool.deform_roi_pool_backward,
    deform_roi_pool.deform_roi_pool_forward,
    ms_deform_attn.ms_deform_attn_backward,
    ms_deform_attn.ms_deform_attn_forward,
    nms.nms,
    nms_match.nms_match,
    roi_pool.roi_pool_forward,
    soft_nms.softnms,
}


def populate(module: ModuleType) -> None:
    """Give `module` all names of `mmcv._ext`; those not supplied raise when called."""
    for name in unsupported.NAMES:
        setattr(module, name, unsupported.stub(name))
    for name, function in OPS.items():
        kernel = _as_kernel(function)
        setattr(module, name, torch.compiler.disable(kernel) if function in _OPAQUE else kernel)


def _as_kernel(function: Callable) -> Callable:
    """`function` without autograd and autocast, of which compiled code knows nothing either."""

    @wraps(function)
    def kernel(*args: Any, **kwargs: Any) -> Any:
        device = next((arg.device.type for arg in args if isinstance(arg, Tensor)), "cpu")
        with torch.no_grad(), torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return kernel
