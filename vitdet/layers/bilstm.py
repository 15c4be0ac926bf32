"""Bidirectional LSTMs along the columns and rows of a map (Sequencer2D, arXiv:2205.01972)."""

import torch
from torch import Tensor, nn


class BiLSTM(nn.Module):
    """torch's one-layer bidirectional LSTM, parameters named alike, that can be compiled.

    `torch.compile` refuses `nn.LSTM`, even to read its attributes, but not the function it calls.
    """

    def __init__(self, dim: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        for suffix in ("", "_reverse"):
            shapes = {
                "weight_ih_l0": (4 * hidden_size, dim),
                "weight_hh_l0": (4 * hidden_size, hidden_size),
                "bias_ih_l0": (4 * hidden_size,),
                "bias_hh_l0": (4 * hidden_size,),
            }
            for name, shape in shapes.items():
                self.register_parameter(name + suffix, nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform within 1 / sqrt(hidden_size), as `nn.LSTM`."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (steps, B, C) to (steps, B, 2 * hidden_size), forward states first."""
        weights = [
            self.weight_ih_l0,
            self.weight_hh_l0,
            self.bias_ih_l0,
            self.bias_hh_l0,
            self.weight_ih_l0_reverse,
            self.weight_hh_l0_reverse,
            self.bias_ih_l0_reverse,
            self.bias_hh_l0_reverse,
        ]
        if x.device.type != "cpu":
            return self._run(x, weights)
        # Few CPUs have an LSTM in bfloat16; on the others torch fails instead of computing it.
        with torch.autocast("cpu", enabled=False):
            return self._run(x.float(), [weight.float() for weight in weights]).to(x.dtype)

    def _run(self, x: Tensor, weights: list[Tensor]) -> Tensor:
        state = x.new_zeros(2, x.shape[1], self.hidden_size)
        has_biases, num_layers, dropout, is_bidirectional, is_batch_first = (
            True,
            1,
            0.0,
            True,
            False,
        )
        return torch.lstm(
            x,
            (state, state),
            weights,
            has_biases,
            num_layers,
            dropout,
            self.training,
            is_bidirectional,
            is_batch_first,
        )[0]


class BiLSTM2D(nn.Module):
    """One bidirectional LSTM along the columns, one along the rows, and a linear layer on both."""

    def __init__(self, dim: int, hidden_size: int) -> None:
        super().__init__()
        self.rnn_v = BiLSTM(dim, hidden_size)
        self.rnn_h = BiLSTM(dim, hidden_size)
        self.fc = nn.Linear(4 * hidden_size, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C) to the same shape."""
        batch, height, width, _ = x.shape
        # Steps come first in torch's LSTM: the columns of a single image need no copy.
        vertical = self.rnn_v(x.transpose(0, 1).flatten(1, 2)).unflatten(1, (batch, width))
        horizontal = self.rnn_h(x.permute(2, 0, 1, 3).flatten(1, 2)).unflatten(1, (batch, height))
        return self.fc(
            torch.cat([vertical.transpose(0, 1), horizontal.permute(1, 2, 0, 3)], dim=-1)
        )
