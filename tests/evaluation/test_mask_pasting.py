"""Pasted masks against the definition: bilinear samples, zero beyond the box, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.evaluation import mask_pasting
from vitdet.evaluation.mask_pasting import paste_masks


def reference(probabilities: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, H, W) probabilities, by sampling each mask at every pixel of the image."""
    x1, y1, x2, y2 = boxes.double()[:, :, None].unbind(1)
    y = (torch.arange(size[0]) + 0.5 - y1) / (y2 - y1) * 2 - 1  # (N, H)
    x = (torch.arange(size[1]) + 0.5 - x1) / (x2 - x1) * 2 - 1
    grid = torch.stack(
        [x[:, None, :].expand(-1, *size), y[:, :, None].expand(-1, *size)], dim=3
    )  # (N, H, W, 2)
    return F.grid_sample(probabilities.double()[:, None], grid, align_corners=False)[:, 0]


@pytest.mark.parametrize("shape", [(28, 28), (7, 14), (1, 1)])
@pytest.mark.parametrize("threshold", [0.5, 0.05])
def test_every_pixel_is_on_its_side_of_the_threshold(shape, threshold) -> None:
    generator = torch.Generator().manual_seed(0)
    size, num = (50, 70), 40
    corners = torch.rand(num, 2, 2, generator=generator) * torch.tensor([110.0, 80.0]) - 20
    boxes = torch.cat([corners.amin(1), corners.amax(1) + 0.5], dim=1)  # some leave the image
    boxes[0] = torch.tensor([-30.0, -30.0, -10.0, -5.0])  # outside
    boxes[1] = torch.tensor([10.2, 3.1, 10.4, 30.0])  # narrower than a pixel
    boxes[2] = torch.tensor([-10.0, -10.0, 200.0, 90.0])  # larger than the image
    probabilities = torch.rand(num, *shape, generator=generator)
    wanted = reference(probabilities, boxes, size)
    pasted = paste_masks(probabilities, boxes, size, threshold=threshold)
    assert pasted.dtype == torch.bool and pasted.shape == wanted.shape
    is_clear = (wanted - threshold).abs() > 1e-5
    assert is_clear.float().mean() > 0.999
    assert torch.equal(pasted[is_clear], (wanted >= threshold)[is_clear])
    assert 0 < pasted.float().mean() < 0.9


def test_a_gpu_computes_the_same_many_at_once(monkeypatch) -> None:
    generator = torch.Generator().manual_seed(1)
    boxes = torch.tensor([[3.0, 4.0, 30.5, 20.0], [0.0, 0.0, 9.0, 39.0], [5.0, 5.0, 5.0, 9.0]])
    probabilities = torch.rand(3, 28, 28, generator=generator)
    wanted = paste_masks(probabilities, boxes, (40, 50))
    monkeypatch.setattr(mask_pasting, "_GPU_PIXELS", 2 * 40 * 50)  # two chunks
    assert torch.equal(mask_pasting._paste_whole(probabilities, boxes, (40, 50), 0.5), wanted)


def test_boxes_without_extent_have_no_pixels() -> None:
    boxes = torch.tensor([[5.0, 5.0, 5.0, 9.0], [8.0, 8.0, 4.0, 4.0]])
    assert not paste_masks(torch.ones(2, 28, 28), boxes, (20, 20)).any()


def test_no_masks() -> None:
    assert paste_masks(torch.rand(0, 28, 28), torch.rand(0, 4), (20, 30)).shape == (0, 20, 30)
