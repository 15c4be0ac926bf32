"""Masks of boxes put where they belong in the image (He et al. 2017, sec. 3, "Inference")."""

import numpy as np
import torch
from torch import Tensor

_CROPS = 16  # whose weights are computed at once on a CPU
_GPU_PIXELS = 2**26  # of probabilities that are in memory at a time


def paste_masks(
    probabilities: Tensor, boxes: Tensor, image_size: tuple[int, int], *, threshold: float = 0.5
) -> Tensor:
    """Enlarge the masks of boxes and cut them off at a threshold.

    A pixel takes the bilinear value of the mask at its centre, where everything beyond the box is
    zero. That interpolation is a product with a few weights per row and one with a few per column.
    On a CPU they are computed for the pixels of each box alone; a GPU computes many masks at once.

    Args:
        probabilities: (N, h, w) of the pixels in each box, 0 to 1.
        boxes: (N, 4) xyxy in pixels of the image; where they leave it, masks are cut.
        image_size: (H, W).
        threshold: above 0; from this probability on a pixel belongs to the mask.

    Returns:
        (N, H, W) bool. It has no pixels of boxes without width or height.
    """
    probabilities, boxes = probabilities.float(), boxes.float()
    if boxes.device.type == "cpu":
        return _paste_crops(probabilities, boxes, image_size, threshold)
    return _paste_whole(probabilities, boxes, image_size, threshold)


def _paste_whole(
    probabilities: Tensor, boxes: Tensor, image_size: tuple[int, int], threshold: float
) -> Tensor:
    height, width = image_size
    pasted = torch.zeros(len(boxes), height, width, dtype=torch.bool, device=boxes.device)
    at_once = max(_GPU_PIXELS // (height * width), 1)
    for start in range(0, len(boxes), at_once):
        some = slice(start, start + at_once)
        masks, (x1, y1, x2, y2) = probabilities[some], boxes[some].unbind(1)
        vertical = _weights(y1, y2, first=torch.zeros_like(y1), shape=(height, masks.shape[1]))
        horizontal = _weights(x1, x2, first=torch.zeros_like(x1), shape=(width, masks.shape[2]))
        values = vertical @ masks @ horizontal.transpose(1, 2)
        torch.ge(values, threshold, out=pasted[some])
    return pasted


def _paste_crops(
    probabilities: Tensor, boxes: Tensor, image_size: tuple[int, int], threshold: float
) -> Tensor:
    height, width = image_size
    # numpy's zeros are large pages of the system, touched when written: a sixth of torch's time.
    pasted = torch.from_numpy(np.zeros((len(boxes), height, width), dtype=bool))
    limits = boxes.new_tensor([width, height, width, height])
    # Interpolation reaches half a pixel of the mask beyond its box.
    reach = (boxes[:, 2:] - boxes[:, :2]) / boxes.new_tensor(probabilities.shape[:0:-1]) / 2
    corners = torch.cat([(boxes[:, :2] - reach).floor(), (boxes[:, 2:] + reach).ceil()], dim=1)
    corners = corners.clamp(min=0).minimum(limits)
    for start in range(0, len(boxes), _CROPS):
        some = slice(start, start + _CROPS)
        masks, (x1, y1, x2, y2) = probabilities[some], boxes[some].unbind(1)
        left, top, *_ = corners[some].unbind(1)
        places = corners[some].int().tolist()
        rows, columns = (max(max(c[k + 2] - c[k], 0) for c in places) for k in (1, 0))
        vertical = _weights(y1, y2, first=top, shape=(rows, masks.shape[1]))
        horizontal = _weights(x1, x2, first=left, shape=(columns, masks.shape[2]))
        for i, (x, y, right, bottom) in enumerate(places):
            if x < right and y < bottom:
                values = vertical[i, : bottom - y] @ masks[i] @ horizontal[i, : right - x].t()
                torch.ge(values, threshold, out=pasted[start + i, y:bottom, x:right])
    return pasted


def _weights(low: Tensor, high: Tensor, *, first: Tensor, shape: tuple[int, int]) -> Tensor:
    """What pixels take of the samples that lie evenly between `low` and `high`.

    Args:
        low: (N,) where samples begin, in pixels.
        high: (N,) where they end.
        first: (N,) number of the first pixel.
        shape: numbers P of pixels and S of samples.

    Returns:
        (N, P, S).
    """
    num_pixels, num_samples = shape
    low, extent = low[:, None], (high - low)[:, None]
    centres = first[:, None] + 0.5 + torch.arange(num_pixels, device=low.device)
    places = (centres - low) * (num_samples / extent) - 0.5
    places = places.masked_fill(extent <= 0, -1)  # beyond the samples, as far as they reach
    samples = torch.arange(num_samples, device=low.device)
    return (places[..., None] - samples).abs_().neg_().add_(1).clamp_(min=0)
