"""Gradients of every differentiable operator against finite differences, in float64."""

import pytest
import torch

from tests.compat.mmcv_ops.operators import OPERATORS


@pytest.mark.parametrize("name", OPERATORS)
def test_gradients_are_derivatives(name: str) -> None:
    operator = OPERATORS[name].of_image(0)
    leaves = operator.leaves()
    assert torch.autograd.gradcheck(lambda *leaves: operator.output(leaves), leaves)
