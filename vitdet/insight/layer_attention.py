"""The attention of one layer, brought back from windows and reduced keys to its map of tokens."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from vitdet.errors import UserError
from vitdet.insight.token_layout import Grid, TokenLayout


class LayerAttention:
    """What each query of a layer takes of each key, and where both lie.

    Attributes:
        name: of the layer in its model, such as `backbone.stages.0.blocks.1`.
        weights: (B, num_windows, num_heads, N, M), each row sums to 1.
        grid: the map of tokens.
        layout: which tokens queries and keys are.
    """

    parts = "heads"

    def __init__(
        self, name: str, weights: Tensor, grid: Grid, layout: Callable[[], TokenLayout]
    ) -> None:
        self.name = name
        self.weights = weights
        self.grid = grid
        self._make_layout = layout  # laid out when it is asked for, not during the forward pass

    @cached_property
    def layout(self) -> TokenLayout:
        return self._make_layout()

    @property
    def num_heads(self) -> int:
        return self.weights.shape[2]

    @property
    def num_behind(self) -> int:
        """How many tokens, such as YOLOS' detection tokens, stand behind those of the map."""
        return self.layout.num_tokens - self.grid.first - self.grid.num_places

    @property
    def head_names(self) -> list[str]:
        return [f"head {number}" for number in range(self.num_heads)]

    def mean_of_heads(self) -> "LayerAttention":
        """The same with one head, the mean of all: what a rollout needs, in less memory."""
        return LayerAttention(
            self.name, self.weights.mean(2, keepdim=True), self.grid, self._make_layout
        )

    def of_place(self, row: int, column: int, *, image: int = 0) -> Tensor:
        """What the token at a place of the map takes of the map, (num_heads, H, W).

        A head sums to 1 less what it takes of padding and of tokens that are not on the map.

        Raises UserError if that token is no query of the layer.
        """
        grid = self.grid
        return self.of_token(grid.first + row * grid.width + column, image=image)

    def of_token(self, number: int, *, image: int = 0) -> Tensor:
        """The same of the token of this number, those before and behind the map included."""
        found = (self.layout.queries == number).nonzero()
        if not len(found):
            raise UserError(f"{self.name}: token {number} asks nothing in this layer; take another")
        window, query = found[0].tolist()
        taken = self.weights[image, window, :, query].float().cpu()
        return self._on_map(self._by_token(taken, self.layout.keys[window]))

    def pull_back(self, shares: Tensor, *, image: int = 0) -> Tensor:
        """Shares (num_tokens,) of a layer's output as shares of its input, by the mean of heads.

        A query's share goes to its keys by their weights; the residual connection beside the
        attention counts as much as it (Abnar and Zuidema 2020, arXiv:2005.00928, section 3).
        """
        layout = self.layout
        of_queries = torch.cat([shares, shares.new_zeros(1)])[layout.queries]  # -1 is the zero
        weights = self.weights[image].float().mean(1).cpu()  # (num_windows, N, M)
        of_keys = torch.einsum("wn,wnm->wm", of_queries, weights)
        given = self._by_token(of_keys.flatten()[None], layout.keys.flatten())[0]
        return (shares + given) / 2

    def _by_token(self, taken: Tensor, keys: Tensor) -> Tensor:
        """Sum what is taken of keys: taken (K, M) of keys (M,), to (K, num_tokens)."""
        layout = self.layout
        number = layout.num_tokens if layout.spread is None else layout.spread.shape[0]
        sums = taken.new_zeros(len(taken), number + 1)
        sums.index_add_(1, torch.where(keys < 0, number, keys), taken)
        sums = sums[:, :number]
        return sums if layout.spread is None else (layout.spread.t() @ sums.t()).t()

    def _on_map(self, shares: Tensor) -> Tensor:
        """The tokens of the map among (K, num_tokens), as (K, H, W)."""
        grid = self.grid
        own = shares[:, grid.first : grid.first + grid.num_places]
        return own.unflatten(1, (grid.height, grid.width))
