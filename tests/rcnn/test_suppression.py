"""Groups are suppressed apart, in either way."""

import torch
from torchvision.ops import nms

from vitdet.rcnn.suppression import apart, nms_of_groups

SIZES = [40, 0, 25, 1, 60]


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(sum(SIZES), 2, generator=generator) * 40
    boxes = torch.cat([corners, corners + torch.rand(sum(SIZES), 2, generator=generator) * 30], 1)
    boxes[::9] = 0  # without an area
    return boxes, torch.rand(sum(SIZES), generator=generator)


def test_each_group_for_itself() -> None:
    boxes, scores = problem()
    keep = nms_of_groups(boxes, scores, SIZES, 0.4)
    begin = 0
    for size in SIZES:
        here = slice(begin, begin + size)
        expected = torch.zeros(size, dtype=torch.bool)
        expected[nms(boxes[here], scores[here], 0.4)] = True
        assert torch.equal(keep[here], expected)
        begin += size
    assert 0 < keep.sum() < len(keep)


def test_cells_keep_groups_apart() -> None:
    """The one call of a GPU finds the same."""
    boxes, scores = problem()
    has_area = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    keep = torch.zeros_like(has_area)
    keep[nms(apart(boxes, SIZES), scores, 0.4)] = True
    assert torch.equal(keep[has_area], nms_of_groups(boxes, scores, SIZES, 0.4)[has_area])


def test_what_compiled_code_is_told_fits() -> None:
    boxes, scores = problem()
    torch.library.opcheck(nms_of_groups, (boxes, scores, SIZES, 0.4))
