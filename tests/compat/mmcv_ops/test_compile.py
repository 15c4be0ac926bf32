"""Every operator inside a compiled function gives the values and gradients of eager mode.

Graphs may break there. `aot_eager` takes functions apart as `inductor` does, and needs no compiler.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from mmcv.ops import batched_nms, nms, nms_match, soft_nms
from torch import Tensor

from tests.compat.mmcv_ops.operators import OPERATORS
from tests.compat.mmcv_ops.test_suppression import boxes_and_scores

BY_IMAGE = torch.arange(60) % 3
SUPPRESSIONS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "nms": lambda boxes, scores: nms(boxes, scores, 0.4, max_num=7),
    "batched_nms": lambda boxes, scores: batched_nms(
        boxes, scores, BY_IMAGE, {"type": "nms", "iou_threshold": 0.4}
    ),
    "soft_nms": lambda boxes, scores: soft_nms(boxes, scores, 0.4),
    "nms_match": lambda boxes, scores: nms_match(torch.cat([boxes, scores[:, None]], 1), 0.4),
}


@pytest.fixture(autouse=True)
def _nothing_compiled_before() -> Iterator[None]:
    """After a few different calls of one function the compiler would stop trying."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compiled(function: Callable) -> Callable:
    return torch.compile(function, backend="aot_eager")


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    operator = OPERATORS[name]

    def between_other_steps(leaves: list[Tensor], constants: tuple[Tensor, ...]) -> Tensor:
        return 2 * operator.call(*(leaf + 0 for leaf in leaves), *constants)

    under_test = compiled(between_other_steps)
    # With the images in another order the compiled function meets other values.
    for images in (operator, operator.reversed()):
        leaves = images.leaves()
        expected = between_other_steps(leaves, images.constants)
        output = under_test(leaves, images.constants)
        torch.testing.assert_close(output, expected)
        upstream = torch.rand_like(expected)
        torch.testing.assert_close(
            torch.autograd.grad(output, leaves, upstream),
            torch.autograd.grad(expected, leaves, upstream),
        )


@pytest.mark.parametrize("name", SUPPRESSIONS)
def test_suppressions(name: str) -> None:
    suppress = SUPPRESSIONS[name]

    def between_other_steps(boxes: Tensor, scores: Tensor) -> object:
        return suppress(boxes + 1, scores)

    under_test = compiled(between_other_steps)
    for seed in range(2):
        operands = boxes_and_scores(60, seed)
        torch.testing.assert_close(
            under_test(*operands), between_other_steps(*operands), rtol=0, atol=0
        )
