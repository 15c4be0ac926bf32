"""Masks of boxes put where they belong in the image (He et al. 2017, sec. 3, "Inference")."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")

_CROPS = 16  # whose weights are computed at once on a CPU
_GPU_PIXELS = 2**26  # of probabilities that are in memory at a time


def paste_masks(
    probabilities: Array, boxes: Array, image_size: tuple[int, int], *, threshold: float = 0.5
) -> Array:
    """Enlarge the masks of boxes and cut them off at a threshold.

    A pixel takes the bilinear value of the mask at its centre, where everything beyond the box is
    zero. That interpolation is a product with a few weights per row and one with a few per column.
    On a CPU they are computed for the pixels of each box alone; a GPU computes many masks at once.

    Args:
        probabilities: (N, h, w) of the pixels in each box, 0 to 1; array or tensor.
        boxes: (N, 4) xyxy in pixels of the image; where they leave it, masks are cut.
        image_size: (H, W).
        threshold: above 0; from this probability on a pixel belongs to the mask.

    Returns:
        (N, H, W) bool. It has no pixels of boxes without width or height.
    """
    if isinstance(probabilities, np.ndarray):  # models that were exported do without torch
        return _paste_crops(probabilities, boxes, image_size, threshold)
    if probabilities.device.type != "cpu":
        return _paste_whole(probabilities.float(), boxes.float(), image_size, threshold)
    import torch

    arrays = (tensor.detach().float().numpy() for tensor in (probabilities, boxes))
    return torch.from_numpy(_paste_crops(*arrays, image_size, threshold))


def _paste_crops(
    probabilities: np.ndarray, boxes: np.ndarray, image_size: tuple[int, int], threshold: float
) -> np.ndarray:
    height, width = image_size
    # Large pages of the system, touched when written: torch's zeros take six times as long.
    pasted = np.zeros((len(boxes), height, width), dtype=bool)
    # Interpolation reaches half a pixel of the mask beyond its box.
    reach = (boxes[:, 2:] - boxes[:, :2]) / np.float32(probabilities.shape[:0:-1]) / 2
    corners = np.concatenate(
        [np.floor(boxes[:, :2] - reach), np.ceil(boxes[:, 2:] + reach)], axis=1
    )
    corners = corners.clip(0, np.float32([width, height, width, height]))
    for start in range(0, len(boxes), _CROPS):
        some = slice(start, start + _CROPS)
        masks, (x1, y1, x2, y2) = probabilities[some], boxes[some].T
        left, top, *_ = corners[some].T
        places = corners[some].astype(int).tolist()
        rows, columns = (max(max(c[k + 2] - c[k], 0) for c in places) for k in (1, 0))
        vertical = _weights(y1, y2, first=top, shape=(rows, masks.shape[1]))
        horizontal = _weights(x1, x2, first=left, shape=(columns, masks.shape[2]))
        for i, (x, y, right, bottom) in enumerate(places):
            if x < right and y < bottom:
                values = vertical[i, : bottom - y] @ masks[i] @ horizontal[i, : right - x].T
                np.greater_equal(values, threshold, out=pasted[start + i, y:bottom, x:right])
    return pasted


def _weights(
    low: np.ndarray, high: np.ndarray, *, first: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
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
    centres = first[:, None] + np.float32(0.5) + np.arange(num_pixels, dtype=np.float32)
    places = (centres - low) * (num_samples / np.where(extent > 0, extent, 1)) - np.float32(0.5)
    places = np.where(extent > 0, places, -1)  # beyond the samples, as far as they reach
    weights = places[..., None] - np.arange(num_samples, dtype=np.float32)
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    return np.maximum(weights, 0, out=weights)


def _paste_whole(
    probabilities: "torch.Tensor",
    boxes: "torch.Tensor",
    image_size: tuple[int, int],
    threshold: float,
) -> "torch.Tensor":
    import torch

    height, width = image_size
    pasted = torch.zeros(len(boxes), height, width, dtype=torch.bool, device=boxes.device)
    at_once = max(_GPU_PIXELS // (height * width), 1)
    for start in range(0, len(boxes), at_once):
        some = slice(start, start + at_once)
        masks, (x1, y1, x2, y2) = probabilities[some], boxes[some].unbind(1)
        vertical = _weights_of_all(y1, y2, shape=(height, masks.shape[1]))
        horizontal = _weights_of_all(x1, x2, shape=(width, masks.shape[2]))
        values = vertical @ masks @ horizontal.transpose(1, 2)
        torch.ge(values, threshold, out=pasted[some])
    return pasted


def _weights_of_all(
    low: "torch.Tensor", high: "torch.Tensor", *, shape: tuple[int, int]
) -> "torch.Tensor":
    """As `_weights`, of all pixels from the first on."""
    import torch

    num_pixels, num_samples = shape
    low, extent = low[:, None], (high - low)[:, None]
    centres = torch.arange(num_pixels, device=low.device) + 0.5
    places = (centres - low) * (num_samples / extent) - 0.5
    places = places.masked_fill(extent <= 0, -1)
    samples = torch.arange(num_samples, device=low.device)
    return (places[..., None] - samples).abs_().neg_().add_(1).clamp_(min=0)
