"""`--compile`: `torch.compile` for the blocks that a model repeats, one by one."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from vitdet.engine.blocks import blocks_of
from vitdet.errors import UserError

# Graphs that torch keeps of a block's code: one per stage, kind of window, mode and size, while
# sizes are not symbolic. Its own limit, 8, would let most of a hierarchical transformer go without.
_GRAPHS = 64


def compile_blocks(model: nn.Module, options: Mapping[str, Any] | None = None) -> int:
    """Compile every block of `model`, in place; returns how many there are.

    A whole detector would be compiled anew for each number of boxes; blocks see maps only. From
    the second size of image on, sizes are symbols in what is compiled, so that multi-scale training
    settles after a few steps. Blocks alike share a graph. Names of weights stay what they are.

    `options` are those of `torch.compile`.

    Raises:
        UserError: there is nothing to compile.
    """
    import torch._dynamo

    blocks = blocks_of(model)
    if not blocks:
        raise UserError(
            f"--compile: {type(model).__name__} has no repeated blocks to compile; leave it out"
        )
    settings = torch._dynamo.config
    settings.recompile_limit = max(settings.recompile_limit, _GRAPHS)
    settings.accumulated_recompile_limit = max(settings.accumulated_recompile_limit, 16 * _GRAPHS)
    for block in blocks:
        block.compile(**(options or {}))
    return len(blocks)
