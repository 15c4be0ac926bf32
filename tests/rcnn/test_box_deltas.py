"""mmdet's box coder, for batches."""

import pytest
import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder

from vitdet.rcnn.box_deltas import decode, encode, is_known

CODERS = {
    "rpn": DeltaXYWHBBoxCoder(),
    "rcnn": DeltaXYWHBBoxCoder(
        target_means=(0.0, 0.1, 0.0, -0.1), target_stds=(0.1, 0.1, 0.2, 0.3)
    ),
    "unclipped": DeltaXYWHBBoxCoder(clip_border=False),
}
SIZES = [(60, 80), (50, 40)]  # height and width of the images


@pytest.mark.parametrize("name", CODERS)
def test_as_mmdet(name: str) -> None:
    coder = CODERS[name]
    assert is_known(coder)
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 2, 50, 2, generator=generator) * 60
    boxes, targets = torch.cat(
        [corners, corners + torch.rand(2, 2, 50, 2, generator=generator) * 40 + 1], dim=-1
    )
    deltas = torch.randn(2, 50, 4, generator=generator) * 3  # some beyond the largest change
    limits = torch.tensor([size[::-1] for size in SIZES])[:, None]
    found = decode(coder, boxes, deltas, limits)
    for image, size in enumerate(SIZES):
        expected = coder.encode(boxes[image], targets[image])
        torch.testing.assert_close(encode(coder, boxes, targets)[image], expected)
        expected = coder.decode(boxes[image], deltas[image], max_shape=size)
        torch.testing.assert_close(found[image], expected)
        expected = coder.decode(boxes[image], deltas[image])
        torch.testing.assert_close(decode(coder, boxes, deltas)[image], expected)


def test_clamped_centres_are_not_known() -> None:
    assert not is_known(DeltaXYWHBBoxCoder(add_ctr_clamp=True))
