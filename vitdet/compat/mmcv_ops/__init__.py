"""The functions of `mmcv._ext` (mmcv 2.1) on torch and torchvision kernels, one file per op.

Names, argument names and the habit of filling tensors the caller allocated are mmcv's, whose Python
side calls these functions; scratch tensors it hands over are left alone unless a file says so.
Every function takes any device, any memory layout and empty inputs.
"""

from types import ModuleType

from vitdet.compat.mmcv_ops import build_info, nms, roi_align, unsupported

_SUPPLIED = {
    "get_compiler_version": build_info.get_compiler_version,
    "get_compiling_cuda_version": build_info.get_compiling_cuda_version,
    "nms": nms.nms,
    "roi_align_backward": roi_align.roi_align_backward,
    "roi_align_forward": roi_align.roi_align_forward,
}


def populate(module: ModuleType) -> None:
    """Give `module` all names of `mmcv._ext`; those not supplied raise when called."""
    for name, function in _SUPPLIED.items():
        setattr(module, name, function)
    for name in unsupported.NAMES:
        setattr(module, name, unsupported.stub(name))
