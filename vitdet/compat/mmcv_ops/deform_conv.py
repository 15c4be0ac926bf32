"""Deformable convolution, plain (Dai et al. 2017) and modulated (Zhu et al. 2019).

torchvision's kernels, but for three things:

- A sample exactly one pixel outside the map takes nothing from it, and mmcv gives its offset no
  gradient, torchvision a one-sided one. All padded samples of a layer whose offsets start at zero
  lie there, so the first training step depends on it.
- An offset that is NaN samples nothing in mmcv; torchvision reads memory that is not the map's.
- Offsets and masks of the modulated form may be larger than the output. mmcv's kernel takes the
  first values of each image then, row after row of the output; DyHead is trained with that.

input: (B, C, H, W)
weight: (O, C / groups, kh, kw)
offset: (B, deform_groups * kh * kw * 2, oh, ow), y before x
mask: (B, deform_groups * kh * kw, oh, ow), factor on each sample
"""

# ruff: noqa: N803 (the argument names are mmcv's)

from dataclasses import dataclass

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype

_FAR = 1e6  # pixels, outside of any map


@dataclass(frozen=True)
class _Geometry:
    """How the kernel is laid over the map; pairs are (vertical, horizontal)."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int

    def convolve(
        self, input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor
    ) -> Tensor:
        """(B, O, oh, ow)"""
        return torch.ops.torchvision.deform_conv2d(
            input, weight, _outside_if_nan(offset), *self._tail(input, mask, bias)
        )

    def gradients(
        self,
        grad_output: Tensor,
        input: Tensor,
        weight: Tensor,
        offset: Tensor,
        mask: Tensor | None,
        bias: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """By input, weight, offset, mask and bias."""
        offset = _outside_if_nan(offset)
        by_input, by_weight, by_offset, by_mask, by_bias = (
            torch.ops.torchvision._deform_conv2d_backward(
                grad_output, input, weight, offset, *self._tail(input, mask, bias)
            )
        )
        reaches = self._reaches_map(offset, weight.shape[2:], input.shape[2:])
        return by_input, by_weight, by_offset * reaches, by_mask, by_bias

    def _tail(self, input: Tensor, mask: Tensor | None, bias: Tensor) -> tuple:
        use_mask = mask is not None
        mask = mask if use_mask else input.new_zeros(input.size(0), 1)
        pairs = (*self.stride, *self.padding, *self.dilation)
        return (mask, bias, *pairs, self.groups, self.deform_groups, use_mask)

    def _reaches_map(
        self, offset: Tensor, kernel: tuple[int, int], map_size: tuple[int, int]
    ) -> Tensor:
        """Whether a sample lies less than one pixel outside the map, per element of `offset`."""
        taps = offset.unflatten(1, (self.deform_groups, *kernel, 2))  # (B, dg, kh, kw, 2, oh, ow)
        position_y = self._regular(0, kernel, taps)[:, None, :, None] + taps[:, :, :, :, 0]
        position_x = self._regular(1, kernel, taps)[:, None, :] + taps[:, :, :, :, 1]
        height, width = map_size
        reaches = (position_y > -1) & (position_y < height)
        reaches &= (position_x > -1) & (position_x < width)
        return reaches.unsqueeze(4).expand_as(taps).flatten(1, 4)

    def _regular(self, axis: int, kernel: tuple[int, int], taps: Tensor) -> Tensor:
        """Positions (kernel size, output size) of the undeformed samples along one axis."""
        start = torch.arange(taps.size(5 + axis), device=taps.device) * self.stride[axis]
        tap = torch.arange(kernel[axis], device=taps.device) * self.dilation[axis]
        return tap[:, None] + start - self.padding[axis]


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Fill `output` (B, O, oh, ow)."""
    geometry = _Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    input, weight, offset = _widened(input, weight, offset)
    bias = weight.new_zeros(weight.size(0))
    output.copy_(geometry.convolve(input, weight, offset, None, bias))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Fill `gradInput` and `gradOffset`, and leave the weight's gradient in `columns`.

    torchvision computes all three at once, and a backward that asks for the weight's too calls
    `deform_conv_backward_parameters` next, with the same scratch tensor.
    """
    geometry = _Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    input, offset, gradient, weight = _widened(input, offset, gradOutput, weight)
    bias = weight.new_zeros(weight.size(0))
    by_input, by_weight, by_offset, _, _ = geometry.gradients(
        gradient, input, weight, offset, None, bias
    )
    gradInput.copy_(by_input)
    gradOffset.copy_(by_offset)
    columns.resize_(by_weight.shape).copy_(by_weight)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Fill `gradWeight`, times `scale`."""
    if columns.numel() > 0:
        gradWeight.copy_(scale * columns)
        columns.resize_(0)  # used up: the next backward has another gradient
        return
    geometry = _Geometry((dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    input, offset, gradient, weight = _widened(input, offset, gradOutput, gradWeight)
    bias = weight.new_zeros(weight.size(0))
    _, by_weight, *_ = geometry.gradients(gradient, input, weight, offset, None, bias)
    gradWeight.copy_(scale * by_weight)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Fill `output` (B, O, oh, ow); `bias` is (O,), or empty without `with_bias`."""
    geometry = _Geometry(
        (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w), group, deformable_group
    )
    input, weight, bias, offset, mask = _widened(input, weight, bias, offset, mask)
    bias = bias if with_bias else weight.new_zeros(weight.size(0))
    offset, mask = (_first(each, output.shape[2:]) for each in (offset, mask))
    output.copy_(geometry.convolve(input, weight, offset, mask, bias))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Fill the five gradients, each of the shape of what it belongs to."""
    geometry = _Geometry(
        (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w), group, deformable_group
    )
    input, weight, bias, offset, mask, gradient = _widened(
        input, weight, bias, offset, mask, grad_output
    )
    bias = bias if with_bias else weight.new_zeros(weight.size(0))
    size = grad_output.shape[2:]
    offset, mask = (_first(each, size) for each in (offset, mask))
    gradients = geometry.gradients(gradient, input, weight, offset, mask, bias)
    targets = (
        grad_input,
        grad_weight,
        *(_first(each.zero_(), size) for each in (grad_offset, grad_mask)),
    )
    for target, values in zip(targets, gradients[:4], strict=True):
        target.copy_(values)
    if with_bias:
        grad_bias.copy_(gradients[4])


def _outside_if_nan(offset: Tensor) -> Tensor:
    return offset.nan_to_num(nan=_FAR, posinf=_FAR, neginf=-_FAR)


def _first(values: Tensor, size: torch.Size) -> Tensor:
    """View (B, K, *size) of the first of each image's values: (B, K, H, W)."""
    if values.shape[2:] == size:
        return values
    count = values.shape[1] * size.numel()
    return values.flatten(1)[:, :count].unflatten(1, (-1, *size))


def _widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    dtype = kernel_dtype(tensors[0].dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)
