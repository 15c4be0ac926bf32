"""ResNet (He et al., CVPR 2016, arXiv:1512.03385) as torchvision builds it: with the stride in the
3x3 convolution. Entries have torchvision's names.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.backbones.backbone import (
    Backbone,
    InitConfig,
    check_out_indices,
    published_size,
    run_block,
)
from vitdet.layers.frozen_norm import FrozenBatchNorm, conv_norm
from vitdet.registry import MODELS


class ResNetArch(NamedTuple):
    """A published size."""

    depths: tuple[int, ...]
    has_bottlenecks: bool


ARCHS = {
    "resnet18": ResNetArch((2, 2, 2, 2), has_bottlenecks=False),
    "resnet34": ResNetArch((3, 4, 6, 3), has_bottlenecks=False),
    "resnet50": ResNetArch((3, 4, 6, 3), has_bottlenecks=True),
    "resnet101": ResNetArch((3, 4, 23, 3), has_bottlenecks=True),
    "resnet152": ResNetArch((3, 8, 36, 3), has_bottlenecks=True),
}


@MODELS.register_module()
class ResNet(Backbone):
    """Feature maps of a convolutional network with residual blocks.

    Args:
        arch: published size, "resnet18", "resnet34", "resnet50", "resnet101" or "resnet152".
        base_channels: channels of the stem and of the first stage's 3x3 convolutions; each later
            stage doubles them.
        has_dilated_c5: keep the last stage at stride 16, its 3x3 convolutions dilated by 2 (but for
            the first block's): "DC5" in DETR.
        has_frozen_norm: batch norms that never change, as detectors use them that start from
            ImageNet weights; without them it can be trained from scratch.
        out_indices: stages to return.
        frozen_stages: -1 trains everything, 0 freezes the stem, k also the first k stages.
        with_checkpoint: recompute each block in the backward pass to save memory.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint="torchvision://resnet50")`.
    """

    def __init__(
        self,
        arch: str = "resnet50",
        *,
        base_channels: int = 64,
        has_dilated_c5: bool = False,
        has_frozen_norm: bool = True,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "ResNet")
        norm = FrozenBatchNorm if has_frozen_norm else nn.BatchNorm2d
        block = Bottleneck if size.has_bottlenecks else BasicBlock
        self.out_indices = check_out_indices(out_indices, len(size.depths), "ResNet")
        self.frozen_stages = frozen_stages
        self.with_checkpoint = with_checkpoint

        self.conv1 = nn.Conv2d(3, base_channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(base_channels)
        dim, channels, strides = base_channels, [], []
        for stage, depth in enumerate(size.depths):
            is_dilated = has_dilated_c5 and stage == 3
            blocks = []
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 and not is_dilated else 1
                dilation = 2 if is_dilated and index > 0 else 1
                middle = base_channels * 2**stage
                blocks.append(block(dim, middle, stride=stride, dilation=dilation, norm=norm))
                dim = middle * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
            channels.append(dim)
            strides.append(2 ** (stage + 2 - is_dilated))
        self.out_channels = tuple(channels[index] for index in self.out_indices)
        self.strides = tuple(strides[index] for index in self.out_indices)
        self.num_features = channels[-1]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps (B, C_l, ceil(H / stride_l), ceil(W / stride_l)) of `out_indices`.

        Args:
            images: (B, 3, H, W), any size.
        """
        x = F.relu(conv_norm(images, self.conv1, self.bn1))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        maps = []
        for index in range(max(self.out_indices) + 1):
            for block in getattr(self, f"layer{index + 1}"):
                x = run_block(block, x, with_checkpoint=self.with_checkpoint)
            if index in self.out_indices:
                maps.append(x)
        return tuple(maps)

    def forward_tokens(self, images: Tensor) -> Tensor:
        x = F.relu(conv_norm(images, self.conv1, self.bn1))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for index in range(4):
            x = getattr(self, f"layer{index + 1}")(x)
        return x.flatten(2).transpose(1, 2)

    def freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        stages = [getattr(self, f"layer{stage + 1}") for stage in range(self.frozen_stages)]
        for module in (self.conv1, self.bn1, *stages):
            module.eval().requires_grad_(False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(
        self, dim: int, middle: int, *, stride: int, dilation: int, norm: type[nn.Module]
    ) -> None:
        super().__init__()
        spread = dict(padding=dilation, dilation=dilation, bias=False)
        self.conv1 = nn.Conv2d(dim, middle, 3, stride=stride, **spread)
        self.bn1 = norm(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, **spread)
        self.bn2 = norm(middle)
        self.downsample = _shortcut(dim, middle, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, C, H, W) to (B, C', H / stride, W / stride)."""
        shortcut = x if self.downsample is None else conv_norm(x, *self.downsample)
        x = F.relu(conv_norm(x, self.conv1, self.bn1), inplace=True)
        return F.relu(conv_norm(x, self.conv2, self.bn2).add_(shortcut), inplace=True)


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1, the last of which widens to four times the channels."""

    expansion = 4

    def __init__(
        self, dim: int, middle: int, *, stride: int, dilation: int, norm: type[nn.Module]
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, middle, 1, bias=False)
        self.bn1 = norm(middle)
        self.conv2 = nn.Conv2d(
            middle, middle, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = norm(middle)
        self.conv3 = nn.Conv2d(middle, middle * self.expansion, 1, bias=False)
        self.bn3 = norm(middle * self.expansion)
        self.downsample = _shortcut(dim, middle * self.expansion, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, C, H, W) to (B, C', H / stride, W / stride)."""
        shortcut = x if self.downsample is None else conv_norm(x, *self.downsample)
        x = F.relu(conv_norm(x, self.conv1, self.bn1), inplace=True)
        x = F.relu(conv_norm(x, self.conv2, self.bn2), inplace=True)
        return F.relu(conv_norm(x, self.conv3, self.bn3).add_(shortcut), inplace=True)


def _shortcut(dim: int, out_dim: int, stride: int, norm: type[nn.Module]) -> nn.Sequential | None:
    """A 1x1 convolution and a norm where the shape changes."""
    if stride == 1 and dim == out_dim:
        return None
    return nn.Sequential(nn.Conv2d(dim, out_dim, 1, stride=stride, bias=False), norm(out_dim))
