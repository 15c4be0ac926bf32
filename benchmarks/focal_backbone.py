"""Our Focal-T, with our Swin-T of the same depths and widths as the yardstick.

No installable library has a Focal Transformer. The two compute different maps, so there is nothing
to compare between them: what the table shows is the price of seeing the surroundings.
"""

import dataclasses
import math

import torch
from backbone_peers import backbone_benchmark
from harness import Case
from torch import nn

from vitdet.backbones import FocalTransformer, SwinTransformer


def focal(size: tuple[int, int]) -> nn.Module:
    torch.manual_seed(0)
    return FocalTransformer("tiny", pretrain_img_size=None, drop_path_rate=0.0)


def swin(size: tuple[int, int]) -> nn.Module:
    torch.manual_seed(0)
    return SwinTransformer("tiny", drop_path_rate=0.0)


def uncompared(case: Case) -> Case:
    return dataclasses.replace(case, tolerance=math.inf)


_TIMED = backbone_benchmark(
    "Focal-T backbone beside Swin-T, one image, autocast where bf16",
    {"vitdet": focal, "swin": swin},
)
BENCHMARK = dataclasses.replace(
    _TIMED, cases=lambda is_quick: [uncompared(case) for case in _TIMED.cases(is_quick)]
)
