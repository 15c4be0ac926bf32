"""What the hidden states of Sequencer2D's LSTMs at one place have been made of.

LSTMs have no attention weights. In their place stands how much each token changes the hidden state
at a place: the length of the gradient of half its squared length. Two LSTMs run along the column of
the place and two along its row, so that the four maps together are a cross.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vitdet.backbones.sequencer import Sequencer2D
from vitdet.insight.token_layout import Grid
from vitdet.layers.bilstm import BiLSTM, BiLSTM2D

DIRECTIONS = ("downwards", "upwards", "rightwards", "leftwards")


class HiddenStates:
    """The four LSTMs of one block, with what they read.

    Attributes:
        name: of the block in its model.
        grid: the map of tokens.
    """

    parts = "directions"

    def __init__(self, name: str, lstms: BiLSTM2D, x: Tensor, grid: Grid) -> None:
        self.name = name
        self.grid = grid
        self._lstms = lstms
        self._x = x

    @property
    def num_heads(self) -> int:
        return len(DIRECTIONS)

    @property
    def head_names(self) -> list[str]:
        return list(DIRECTIONS)

    def of_place(self, row: int, column: int, *, image: int = 0) -> Tensor:
        """How much each token changes the hidden state at a place, by `DIRECTIONS`.

        Returns:
            (4, H, W), each sums to 1.
        """
        maps = self._x.new_zeros(len(DIRECTIONS), *self._x.shape[1:3])
        maps[:2, :, column] = _influence(self._lstms.rnn_v, self._x[image, :, column], row)
        maps[2:, row] = _influence(self._lstms.rnn_h, self._x[image, row], column)
        return maps.cpu()


def _influence(lstm: BiLSTM, tokens: Tensor, place: int) -> Tensor:
    """How much tokens: (steps, C) change the state at a step, forward and backward, (2, steps)."""
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN's has no gradient
        tokens = tokens.detach().float().requires_grad_()  # in evaluation
        states = lstm(tokens[:, None])[place, 0].unflatten(0, (2, -1))
        gradients = [
            torch.autograd.grad(state.square().sum() / 2, tokens, retain_graph=True)[0]
            for state in states
        ]
    lengths = torch.stack(gradients).norm(dim=-1)
    return lengths / lengths.sum(1, keepdim=True).clamp(min=1e-12)


def lstm_blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The blocks of a model that mix tokens by LSTMs, by name, in running order."""
    return {
        name.removesuffix(".rnn_tokens"): module
        for name, module in model.named_modules()
        if isinstance(module, BiLSTM2D)
    }


@contextmanager
def capture_hidden_states(
    model: nn.Module, names: Collection[str] | None = None
) -> Iterator[dict[str, HiddenStates]]:
    """Collect what the LSTMs of some blocks read while the model runs, by name; by default all."""
    kept: dict[str, HiddenStates] = {}
    strides = {
        module: stride
        for backbone in model.modules()
        if isinstance(backbone, Sequencer2D)
        for stage, stride in zip(backbone.stages, backbone.stage_strides, strict=True)
        for module in stage.modules()
    }

    def take(name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        x = args[0].detach()
        kept[name] = HiddenStates(name, module, x, Grid(*x.shape[1:3], strides[module]))

    hooks = [
        module.register_forward_pre_hook(partial(take, name))
        for name, module in lstm_blocks(model).items()
        if names is None or name in names
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()
