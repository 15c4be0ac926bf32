"""A batch gives the values and gradients of its images alone."""

import pytest
import torch
from mmcv.ops import batched_nms
from torch import Tensor

from tests.compat.mmcv_ops.operators import BATCH_SIZE, OPERATORS, Operator
from tests.compat.mmcv_ops.test_suppression import boxes_and_scores


def run(operator: Operator, upstream: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Output, and gradients by all differentiable operands."""
    leaves = operator.leaves()
    output = operator.output(leaves)
    return output.detach(), list(torch.autograd.grad(output, leaves, upstream))


@pytest.mark.parametrize("name", OPERATORS)
def test_a_batch_is_its_images(name: str) -> None:
    operator = OPERATORS[name]
    upstream = torch.randn_like(operator.output(operator.leaves()))

    output, gradients = run(operator, upstream)
    alone = [run(operator.of_image(i), upstream[i : i + 1]) for i in range(BATCH_SIZE)]

    torch.testing.assert_close(output, torch.cat([output for output, _ in alone]))
    parts = list(zip(*(gradients for _, gradients in alone), strict=True))
    num_per_image = len(operator.per_image)
    expected = [torch.cat(part) for part in parts[:num_per_image]]
    expected += [torch.stack(part).sum(dim=0) for part in parts[num_per_image:]]
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize("kind", ["nms", "soft_nms"])
def test_suppression_in_a_batch_is_that_of_its_images(kind: str) -> None:
    settings = {"type": kind, "iou_threshold": 0.4}
    images = [boxes_and_scores(40, seed) for seed in range(BATCH_SIZE)]
    index = torch.arange(BATCH_SIZE).repeat_interleave(40)
    boxes, scores = (torch.cat(parts) for parts in zip(*images, strict=True))

    dets, kept = batched_nms(boxes, scores, index, settings)

    for i, image in enumerate(images):
        expected, kept_alone = batched_nms(*image, torch.zeros(40, dtype=torch.long), settings)
        # Equal scores may come in another order: each is compared with its own box.
        place, place_alone = (index[kept] == i).nonzero()[:, 0], kept_alone.argsort()
        place = place[kept[place].argsort()]
        assert (kept[place] - 40 * i).tolist() == kept_alone[place_alone].tolist()
        torch.testing.assert_close(dets[place], expected[place_alone])
