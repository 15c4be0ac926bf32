"""Which device a run uses."""

import mmengine.device.utils as mmengine_device
import torch

from vitdet.errors import UserError


def use_device(device: str | None) -> str:
    """Make mmengine use `device` (cpu, cuda or mps; None: the best there is) and return its name.

    Raises:
        UserError: the device is not available.
    """
    if device is None:
        return mmengine_device.get_device()
    kind = torch.device(device).type
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(kind, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise UserError(f"--device {device}: not available; there is {there}")
    mmengine_device.DEVICE = device
    return device
