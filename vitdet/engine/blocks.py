"""The blocks that a model repeats: what is compiled, and what is shared out over processes."""

import re

from torch import nn

# SwinBlock, SwinBlockV2, PVTBlock, EncoderLayer, mmdet's DetrTransformerDecoderLayer, Bottleneck
_BLOCK = re.compile(r"(Block|Layer|Bottleneck)(V2)?$")


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """The outermost modules that are called a block or layer and consist of several others."""
    found = []
    for child in module.children():
        if _BLOCK.search(type(child).__name__) and len(list(child.children())) > 1:
            found.append(child)
        else:
            found += blocks_of(child)
    return found
