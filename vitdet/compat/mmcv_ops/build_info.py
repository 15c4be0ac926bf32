"""What mmcv reports as its compilers in an environment summary."""

import torch


def get_compiler_version() -> str:
    """There is no compiler: say whose kernels run."""
    return f"none (vitdet on the kernels of torch {torch.__version__})"


def get_compiling_cuda_version() -> str:
    """The CUDA version of torch, whose kernels are used; mmcv's words where there is none."""
    return torch.version.cuda or "not available"
