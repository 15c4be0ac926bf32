"""Tokens of a grid as the map that convolutions read."""

import torch
from torch import Tensor


def as_feature_map(x: Tensor) -> Tensor:
    """Map x: (B, H, W, C) to (B, C, H, W): a view of channels-last memory, or a copy.

    It is a copy where convolutions in float32 are to be trained on a CPU: their backward pass on
    channels-last memory takes about twice as long (an FPN with RPN: 2.4 s against 5.1 s at
    512 x 512). Their forward pass is the faster on it, by 5 to 8 %.
    """
    feature_map = x.permute(0, 3, 1, 2)
    is_trained = torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
    return feature_map.contiguous() if is_trained and x.device.type == "cpu" else feature_map
