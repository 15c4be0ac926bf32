"""RoIPool against its definition, pixel by pixel."""

import math

import torch
from mmcv.ops import roi_pool
from torch import Tensor

LAST = (0, 0, 1, 1)  # x2 and y2 name the last pixel inside


def by_definition(x: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    """Loops over every bin; differentiable, since a maximum is a pixel."""
    output = x.new_zeros(len(rois), x.size(1), size, size)
    height, width = x.shape[2:]
    for r, (image, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (scale * (value + last) for value, last in zip(corners, LAST, strict=True))
        for i in range(size):
            for j in range(size):
                step_y, step_x = (y2 - y1) / size, (x2 - x1) / size
                top, bottom = math.floor(y1 + i * step_y), math.ceil(y1 + (i + 1) * step_y)
                left, right = math.floor(x1 + j * step_x), math.ceil(x1 + (j + 1) * step_x)
                rows = slice(min(max(top, 0), height), min(max(bottom, 0), height))
                columns = slice(min(max(left, 0), width), min(max(right, 0), width))
                pixels = x[int(image), :, rows, columns].flatten(1)
                if pixels.numel() > 0 and x2 > x1 and y2 > y1:
                    output[r, :, i, j] = pixels.max(dim=1).values
    return output


def test_matches_definition() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 11, 13, dtype=torch.float64, requires_grad=True)
    corner = torch.rand(40, 2, dtype=torch.float64) * 60 - 10
    rois = torch.cat([corner, corner + torch.rand(40, 2) * 50 - 5], dim=1)  # some are inverted
    rois = torch.cat([torch.randint(0, 2, (40, 1)), rois], dim=1)

    output, expected = roi_pool(x, rois, 3, 0.25), by_definition(x, rois, 3, 0.25)

    torch.testing.assert_close(output, expected)
    upstream = torch.randn_like(output)
    by_x = torch.autograd.grad(output, x, upstream)
    torch.testing.assert_close(by_x, torch.autograd.grad(expected, x, upstream))


def test_of_equal_maxima_the_first_in_reading_order_gets_the_gradient() -> None:
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    with torch.no_grad():
        x[0, 0, 1, 2] = x[0, 0, 2, 1] = 1
    roi_pool(x, torch.tensor([[0.0, 0.0, 0.0, 3.0, 3.0]]), 1, 1.0).sum().backward()
    assert x.grad.nonzero().tolist() == [[0, 0, 1, 2]]
