"""What all exported models begin with: pixels made what the network takes."""

import math

import torch
import torch.nn.functional as F
from mmseg.models.data_preprocessor import SegDataPreProcessor
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vitdet.backbones import ResNet
from vitdet.inference.model_card import Task
from vitdet.layers.frozen_norm import EPS, FrozenBatchNorm

_STRIDE = 32  # of the coarsest map of a backbone


class ExportedModel(nn.Module):
    """From (B, H, W, 3) uint8 RGB to the outputs of a `ModelCard`.

    Attributes:
        task: see `ModelCard`.
        output_names: of what `forward` returns.
    """

    task: Task
    output_names: tuple[str, ...]

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        preprocessor = model.data_preprocessor
        # mmdet's and mmseg's swap the channels of files, which are BGR, and then normalise.
        is_mmsegs = isinstance(preprocessor, SegDataPreProcessor)
        is_rgb = preprocessor.channel_conversion if is_mmsegs else preprocessor._channel_conversion
        self.swaps_channels = not is_rgb
        for_tests = getattr(preprocessor, "test_cfg", None) or {}
        divisor = for_tests.get("size_divisor") if is_mmsegs else preprocessor.pad_size_divisor
        self.divisor = divisor or 1
        for name in ("mean", "std"):
            value = getattr(preprocessor, name, torch.full((3, 1, 1), float(name == "std")))
            self.register_buffer(name, value.view(1, 3, 1, 1).float().clone())
        self.dtype = torch.float32

    def halve(self) -> None:
        """Let the network have weights and arithmetic of half precision, in place.

        What is around it keeps float32, of whose 24 bits half precision has 11: normalisation,
        boxes, scores that are sorted.
        """
        for module in self.model.modules():
            if isinstance(module, (_BatchNorm, FrozenBatchNorm)):
                _forget_statistics(module)
        self.model.half()
        self.dtype = torch.float16

    @property
    def multiple(self) -> int:
        """Of what the sides of images have to be where they are not known beforehand.

        Then no layer pads its map, which it would decide by the size: all but ResNets cut maps into
        patches, some of them the maps of a stride of up to 32 into windows.
        """
        modules = list(self.model.modules())
        if any(isinstance(module, ResNet) for module in modules):
            return self.divisor
        windows = (getattr(module, "window_size", None) for module in modules)
        return math.lcm(self.divisor, _STRIDE * math.lcm(*filter(None, windows)))

    @property
    def fill(self) -> tuple[int, int, int]:
        """RGB of what is closest to zero after normalisation, which images are padded with."""
        colour = self.mean.flatten().round().int().tolist()
        return tuple(reversed(colour)) if self.swaps_channels else tuple(colour)

    def prepare(self, images: Tensor) -> Tensor:
        """Normalise images: (B, H, W, 3) and pad them, to (B, 3, H', W')."""
        x = images.permute(0, 3, 1, 2)
        x = x.flip(1) if self.swaps_channels else x
        x = (x.float() - self.mean) / self.std
        height, width = x.shape[2:]
        below, right = -height % self.divisor, -width % self.divisor
        if self.divisor > 1:
            x = F.pad(x, (0, right, 0, below))
        return x.to(self.dtype)


def _forget_statistics(norm: nn.Module) -> None:
    """Leave a norm a scale and a shift: variances may be beyond the range of half precision."""
    if norm.weight is None or norm.running_var is None:
        return
    scale = norm.weight * (norm.running_var + getattr(norm, "eps", EPS)).rsqrt()
    norm.bias.data = norm.bias - norm.running_mean * scale
    norm.weight.data = scale
    norm.running_mean.zero_()
    norm.running_var.fill_(1)


def width_and_height(images: Tensor) -> Tensor:
    """(2,) float32, of images: (B, H, W, 3), whose sides may be symbols."""
    one = torch.ones(1)
    return torch.cat([one * images.shape[2], one * images.shape[1]])
