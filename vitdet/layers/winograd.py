"""3 x 3 convolution on a CPU with a quarter of the multiplications (Winograd 1980; for networks
Lavin and Gray 2016, arXiv:1509.09308).

The map is cut into tiles of 4 x 4 outputs, each of which reads 6 x 6 inputs. Both patch and kernel
are polynomials in two variables; their product is known from its values at 6 x 6 points. There it
takes one multiplication a point, 36 in place of the 9 * 16 of the definition, and over channels it
is 36 matrix products. Going to the values and back is a product with a small fixed matrix.

A CPU's library computes the definition at the speed of its matrix product, so what is spared is
gained: with 256 channels a convolution takes about half the time of one thread. Rounding depends on
the points. With 0, 1, -1, 2, -2 and infinity, the usual ones, the mean error is 2.8 times that of
the definition in float32, with those below 1.2 to 1.4 times.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)  # and infinity
_TILE = 4  # outputs a side; with a kernel of 3 and 6 points, 4 + 3 - 1 = 6
_TILES_A_BLOCK = 96  # what these hold stays in the processor's cache
_TILES_A_BLOCK_OF_GRADIENTS = 384  # each block adds to all weights: fewer blocks
_FEWEST_CHANNELS = 128  # with fewer, going to the points and back takes what is spared
_FEWEST_TILES = 64  # with fewer, so does taking the weights there


def _at_points(length: int) -> np.ndarray:
    """(6, length) matrix from the coefficients of a polynomial to its values at the points."""
    powers = np.vander(_POINTS, length, increasing=True)
    return np.vstack([powers, np.eye(length)[-1]])


def _coefficients() -> np.ndarray:
    """(6, 6) matrix from values at the points to coefficients: Lagrange's interpolation."""
    return np.linalg.inv(_at_points(6))


def _in_both_directions(matrix: np.ndarray) -> Tensor:
    return torch.from_numpy(np.kron(matrix, matrix)).float()


# A filter is the transpose of a product of polynomials (Lavin and Gray, section 4): inputs take
# the transposed way of the product's coefficients, outputs that of a factor's values.
_FROM_INPUTS = _in_both_directions(_coefficients().T)  # (36, 6 * 6)
_FROM_WEIGHTS = _in_both_directions(_at_points(3))  # (36, 3 * 3)
_TO_OUTPUTS = _in_both_directions(_at_points(_TILE).T)  # (4 * 4, 36)


def winograd_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with stride 1 and a padding of one zero; the same as `F.conv2d` up to rounding.

    Args:
        x: (B, C, H, W) in float32 on a CPU.
        weight: (D, C, 3, 3).
        bias: (D,).

    Returns:
        (B, D, H, W), with channels last in memory where they are in x.
    """
    return _WinogradConv2d.apply(x, weight, bias)


class WinogradConv2d(nn.Conv2d):
    """A convolution that takes `winograd_conv2d` wherever it pays, and is `nn.Conv2d` elsewhere."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x: (B, C, H, W) to (B, D, H, W)."""
        if not _pays(x, self.weight):
            return super().forward(x)
        return winograd_conv2d(x, self.weight, self.bias)


def use_winograd(model: nn.Module) -> nn.Module:
    """Turn the model's large 3 x 3 convolutions into `WinogradConv2d`, weights as they are."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_suited(module):
            module.__class__ = WinogradConv2d
    return model


def _is_suited(conv: nn.Conv2d) -> bool:
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.dilation == (1, 1)
        and conv.padding in ((1, 1), "same")
        and conv.padding_mode == "zeros"
        and conv.groups == 1
        and min(conv.in_channels, conv.out_channels) >= _FEWEST_CHANNELS
    )


def _pays(x: Tensor, weight: Tensor) -> bool:
    return (
        x.ndim == 4
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and len(x) * math.prod(-(-side // _TILE) for side in x.shape[2:]) >= _FEWEST_TILES
    )


class _WinogradConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolve(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, by_output: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias = ctx.needs_input_grad
        return (
            _convolve(by_output, weight.flip(2, 3).transpose(0, 1)) if by_x else None,
            _weight_gradient(x, by_output) if by_weight else None,
            by_output.sum((0, 2, 3)) if by_bias else None,
        )


class _Block(NamedTuple):
    """Rows of tiles of some images, which are computed at once."""

    images: slice
    rows: slice

    def lines(self, margin: int = 0) -> tuple[int, int]:
        """First line of the map that is in it, and the one after the last."""
        return self.rows.start * _TILE - margin, self.rows.stop * _TILE + margin


def _blocks(shape: Sequence[int], size: int) -> list[_Block]:
    """Cut maps (B, C, H, W) into blocks of about `size` tiles: rows of one image, or images."""
    batch, rows, columns = shape[0], -(-shape[2] // _TILE), -(-shape[3] // _TILE)
    num_images = max(size // (rows * columns), 1)
    num_rows = -(-rows // max(round(rows * columns / size), 1))
    return [
        _Block(slice(image, min(image + num_images, batch)), slice(row, min(row + num_rows, rows)))
        for image in range(0, batch, num_images)
        for row in range(0, rows, num_rows)
    ]


class _Patches:
    """What the tiles of a block read of a map (B, C, H, W), which is zero outside.

    Args:
        x: the map.
        block: the largest that will be read.
        side: of a patch: 4, or 6 with the line around a tile that its kernel reads.
    """

    def __init__(self, x: Tensor, block: _Block, side: int) -> None:
        self.x = x.permute(0, 2, 3, 1)
        self.margin = (side - _TILE) // 2
        columns = -(-x.shape[3] // _TILE)
        num_images, num_rows = (axis.stop - axis.start for axis in block)
        height, width = (_TILE * n + 2 * self.margin for n in (num_rows, columns))
        self._strip = x.new_zeros(num_images, height, width, x.shape[1])
        of_image, of_line, of_pixel, of_channel = self._strip.stride()
        self._overlapping = self._strip.as_strided(
            (side, side, num_images, num_rows, columns, x.shape[1]),
            (of_line, of_pixel, of_image, _TILE * of_line, _TILE * of_pixel, of_channel),
        )

    def read(self, block: _Block) -> Tensor:
        """Patches (side * side, T, C) of a block's T tiles."""
        top, bottom = block.lines(self.margin)
        lines = self.x[block.images, max(top, 0) : bottom]
        if lines.shape[1] < bottom - top:
            self._strip.zero_()
        above = max(-top, 0)
        place = self._strip[: len(lines), above : above + lines.shape[1]]
        place[:, :, self.margin : self.margin + lines.shape[2]] = lines
        patches = self._overlapping[:, :, : len(lines), : block.rows.stop - block.rows.start]
        return patches.reshape(patches.shape[:2].numel(), -1, patches.shape[-1])


def _write(outputs: Tensor, target: Tensor, block: _Block) -> None:
    """Put outputs (4 * 4, T, D) of a block into the target (B, D, H, W)."""
    place = target[block.images, :, slice(*block.lines())].permute(0, 2, 3, 1)
    num_rows = block.rows.stop - block.rows.start
    tiles = outputs.view(_TILE, _TILE, len(place), num_rows, -1, outputs.shape[-1])
    lines = tiles.permute(2, 3, 0, 4, 1, 5).reshape(
        len(place), _TILE * num_rows, -1, tiles.shape[-1]
    )
    place.copy_(lines[:, : place.shape[1], : place.shape[2]])


def _apply(matrix: Tensor, values: Tensor) -> Tensor:
    """Multiply matrix (M, N) and values (N, T, C) to (M, T, C)."""
    return (matrix @ values.flatten(1)).view(-1, *values.shape[1:])


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernels = _apply(_FROM_WEIGHTS, weight.permute(2, 3, 1, 0).flatten(0, 1))
    is_channels_last = x.is_contiguous(memory_format=torch.channels_last)
    output = torch.empty(
        (len(x), len(weight), *x.shape[2:]),
        memory_format=torch.channels_last if is_channels_last else torch.contiguous_format,
    )
    blocks = _blocks(x.shape, _TILES_A_BLOCK)
    patches = _Patches(x, blocks[0], _TILE + 2)
    for block in blocks:
        products = torch.bmm(_apply(_FROM_INPUTS, patches.read(block)), kernels)
        outputs = _apply(_TO_OUTPUTS, products)
        if bias is not None:
            outputs += bias
        _write(outputs, output, block)
    return output


def _weight_gradient(x: Tensor, by_output: Tensor) -> Tensor:
    blocks = _blocks(x.shape, _TILES_A_BLOCK_OF_GRADIENTS)
    inputs = _Patches(x, blocks[0], _TILE + 2)
    outputs = _Patches(by_output, blocks[0], _TILE)
    products = x.new_zeros(36, x.shape[1], by_output.shape[1])
    for block in blocks:
        of_inputs = _apply(_FROM_INPUTS, inputs.read(block))
        of_outputs = _apply(_TO_OUTPUTS.t(), outputs.read(block))
        products.baddbmm_(of_inputs.transpose(1, 2), of_outputs)
    gradient = _apply(_FROM_WEIGHTS.t(), products)
    return gradient.unflatten(0, (3, 3)).permute(3, 2, 0, 1).contiguous()
