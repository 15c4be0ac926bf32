"""Point-wise spatial attention masks (Zhao et al. 2018, PSANet)."""

import torch
from torch import Tensor

_COLLECT = 0  # the value of `psa_type`; 1 distributes


def psamask_forward(
    input: Tensor,
    output: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Spread the mask each pixel predicts around itself over the whole map, 0 beyond the mask.

    input: (B, h_mask * w_mask, H, W)
    output: (B, H * W, H, W); [b, target, pixel] if collecting, [b, pixel, target] if distributing
    """
    y = torch.arange(h_feature, device=input.device)
    x = torch.arange(w_feature, device=input.device)
    masks = input.unflatten(1, (h_mask, w_mask))
    spread = _look_up(masks, y[:, None] - y + half_h_mask, x[:, None] - x + half_w_mask)
    spread = spread.flatten(3).flatten(1, 2)  # (B, targets, pixels)
    output.copy_((spread if psa_type == _COLLECT else spread.mT).view_as(output))


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Fill `grad_input` (B, h_mask * w_mask, H, W)."""
    y = torch.arange(h_feature, device=grad_output.device)
    x = torch.arange(w_feature, device=grad_output.device)
    mask_y = torch.arange(h_mask, device=grad_output.device)[:, None]
    mask_x = torch.arange(w_mask, device=grad_output.device)[:, None]
    spread = grad_output.flatten(2)
    spread = spread if psa_type == _COLLECT else spread.mT
    spread = spread.unflatten(2, (h_feature, w_feature)).unflatten(1, (h_feature, w_feature))
    masks = _look_up(spread, mask_y + y - half_h_mask, mask_x + x - half_w_mask)
    grad_input.copy_(masks.flatten(1, 2))


def _look_up(source: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """out[b, i, j, y, x] = source[b, rows[i, y], columns[j, x], y, x], 0 where that is outside.

    source: (B, I, J, H, W)
    rows: (I', H), columns: (J', W)
    """
    num_rows, num_columns = source.shape[1:3]
    rows, columns = rows[:, None, :, None], columns[:, None, :]
    inside = (rows >= 0) & (rows < num_rows) & (columns >= 0) & (columns < num_columns)
    y = torch.arange(source.size(3), device=source.device)[:, None]
    x = torch.arange(source.size(4), device=source.device)
    found = source[:, rows.clamp(0, num_rows - 1), columns.clamp(0, num_columns - 1), y, x]
    return found * inside
