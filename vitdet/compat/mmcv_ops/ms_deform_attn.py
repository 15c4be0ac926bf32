"""Multi-scale deformable attention (Zhu et al. 2021, Deformable DETR, equation 3)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.compat.mmcv_ops import ms_deform_attn_cpu
from vitdet.compat.mmcv_ops.precision import kernel_dtype


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """The attended values (B, Q, num_heads * D).

    value: (B, N, num_heads, D), the N tokens of all levels in a row
    value_spatial_shapes: (L, 2) height and width of each level
    value_level_start_index: (L,) the first token of each level
    sampling_locations: (B, Q, num_heads, L, P, 2) x, y; 0 and 1 are the borders of a map
    attention_weights: (B, Q, num_heads, L, P)
    """
    batch_size, _, num_heads = attention_weights.shape[:3]
    dtype = kernel_dtype(value.dtype)
    if value.device.type == "cpu":
        attended = ms_deform_attn_cpu.attend(
            value.to(dtype),
            value_spatial_shapes,
            value_level_start_index,
            sampling_locations.to(dtype),
            attention_weights.to(dtype),
        )
        return attended.to(value.dtype)
    weights = _by_head(attention_weights.to(dtype))  # (B * num_heads, Q, L, P)
    grids = _by_head(2 * sampling_locations.to(dtype) - 1)  # (B * num_heads, Q, L, P, 2)
    attended = 0
    for level, (tokens, shape) in enumerate(_levels(value_spatial_shapes, value_level_start_index)):
        feature_map = _to_map(value[:, tokens].to(dtype), shape)
        samples = _sample(feature_map, grids[:, :, level])  # (B * num_heads, D, Q, P)
        attended = attended + (samples * weights[:, None, :, level]).sum(dim=3)
    attended = attended.unflatten(0, (batch_size, num_heads))  # (B, num_heads, D, Q)
    return attended.flatten(1, 2).mT.contiguous().to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Fill the gradients by value, locations and weights, of the shapes of those."""
    batch_size, _, num_heads = attention_weights.shape[:3]
    dtype = kernel_dtype(value.dtype)
    if value.device.type == "cpu":
        gradients = ms_deform_attn_cpu.gradients(
            value.to(dtype),
            value_spatial_shapes,
            value_level_start_index,
            sampling_locations.to(dtype),
            attention_weights.to(dtype),
            grad_output.to(dtype),
        )
        targets = (grad_value, grad_sampling_loc, grad_attn_weight)
        for target, gradient in zip(targets, gradients, strict=True):
            target.copy_(gradient)
        return
    weights = _by_head(attention_weights.to(dtype))
    locations = _by_head(sampling_locations.to(dtype))
    gradient = grad_output.to(dtype).unflatten(2, (num_heads, -1))
    gradient = gradient.permute(0, 2, 3, 1).flatten(0, 1)[..., None]  # (B * num_heads, D, Q, 1)
    for level, (tokens, shape) in enumerate(_levels(value_spatial_shapes, value_level_start_index)):
        feature_map = _to_map(value[:, tokens].to(dtype), shape)
        grid = 2 * locations[:, :, level] - 1
        by_weight = (_sample(feature_map, grid) * gradient).sum(dim=1)
        by_map, by_grid = torch.ops.aten.grid_sampler_2d_backward(
            gradient * weights[:, None, :, level], feature_map, grid, 0, 0, False, (True, True)
        )
        by_location = 2 * by_grid * _reaches_map(locations[:, :, level], shape)
        by_token = by_map.flatten(2).unflatten(0, (batch_size, num_heads)).permute(0, 3, 1, 2)
        grad_value[:, tokens] = by_token.to(grad_value.dtype)
        _assign_level(grad_sampling_loc, level, by_location)
        _assign_level(grad_attn_weight, level, by_weight)


def _levels(shapes: Tensor, starts: Tensor) -> Iterator[tuple[slice, tuple[int, int]]]:
    """The tokens and the height and width of each level.

    Cutting tokens into maps needs the sizes on the host: the one synchronisation of a call.
    """
    for (height, width), start in zip(shapes.tolist(), starts.tolist(), strict=True):
        yield slice(start, start + height * width), (height, width)


def _by_head(tensor: Tensor) -> Tensor:
    """(B, Q, num_heads, ...) to (B * num_heads, Q, ...)."""
    return tensor.transpose(1, 2).flatten(0, 1)


def _assign_level(target: Tensor, level: int, values: Tensor) -> None:
    """Put `values` (B * num_heads, Q, ...) into level `level` of `target`."""
    batch_size, _, num_heads = target.shape[:3]
    values = values.unflatten(0, (batch_size, num_heads)).transpose(1, 2)
    target[:, :, :, level] = values.to(target.dtype)


def _to_map(tokens: Tensor, shape: tuple[int, int]) -> Tensor:
    """(B, H * W, num_heads, D) to (B * num_heads, D, H, W)."""
    return tokens.permute(0, 2, 3, 1).flatten(0, 1).unflatten(2, shape).contiguous()


def _sample(feature_map: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples of the map, zero outside; pixel i has its centre at (i + 0.5) / size."""
    return F.grid_sample(feature_map, grid, padding_mode="zeros", align_corners=False)


def _reaches_map(locations: Tensor, shape: tuple[int, int]) -> Tensor:
    """Whether a sample gets anything from the map (*, 1).

    Exactly one pixel outside it does not, and mmcv gives it no gradient, where `grid_sample` gives
    a one-sided one.
    """
    height, width = shape
    size = locations.new_tensor([width, height])
    position = locations * size - 0.5
    return ((position > -1) & (position < size)).all(dim=-1, keepdim=True)
