"""The dtype in which a kernel computes."""

import torch


def kernel_dtype(dtype: torch.dtype) -> torch.dtype:
    """float64 for float64, else float32.

    torchvision has no bfloat16 kernels, and float16 cannot hold the coordinates of a large image:
    half precision inputs are computed in float32 and the result is rounded once.
    """
    return torch.float64 if dtype == torch.float64 else torch.float32
