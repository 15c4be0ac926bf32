"""Which device a run or a predictor uses."""

import mmengine.device.utils as mmengine_device
import torch

from vitdet.errors import UserError


def resolve_device(device: str | torch.device | None) -> torch.device:
    """The device that is meant; None means the best there is.

    Raises:
        UserError: it is not available here.
    """
    resolved = torch.device(device or mmengine_device.get_device())
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(resolved.type, True):
        there = ", ".join(["cpu", *(name for name, is_there in available.items() if is_there)])
        raise UserError(f"device {resolved} is not available here; there is {there}")
    return resolved


def use_device(device: str | torch.device | None) -> str:
    """Make mmengine run on `device` and return its name. Raises what `resolve_device` does."""
    mmengine_device.DEVICE = str(resolve_device(device))
    return mmengine_device.DEVICE


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Send what the host made to the device, without waiting until it is there."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
