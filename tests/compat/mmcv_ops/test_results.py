"""A result reaches every tensor it should, and is copied only where it has to be."""

import numpy as np
import pytest
import torch

from vitdet.compat.mmcv_ops.results import fill

VALUE = torch.arange(6.0).view(2, 3)


def test_memory_is_taken_over() -> None:
    value, target = VALUE.clone(), torch.zeros(2, 3)
    fill(target, lambda: value)
    assert torch.equal(target, VALUE) and target.data_ptr() == value.data_ptr()


def test_memory_is_given_up_before_the_computation() -> None:
    target = torch.zeros(2, 3)

    def compute() -> torch.Tensor:
        assert target.untyped_storage().nbytes() == 0
        return VALUE.clone()

    fill(target, compute)
    assert torch.equal(target, VALUE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_is_the_target_s(dtype: torch.dtype) -> None:
    target = torch.zeros(2, 3, dtype=dtype)
    fill(target, lambda: VALUE.clone())
    assert target.dtype == dtype and torch.equal(target, VALUE.to(dtype))


def test_memory_that_others_hold_is_filled() -> None:
    array, whole = np.zeros((2, 3), dtype=np.float32), torch.zeros(4, 3)
    for target in (torch.from_numpy(array), whole[1:3], torch.zeros(3, 2).T):
        fill(target, lambda: VALUE.clone())
        assert torch.equal(target, VALUE)
    assert (array == VALUE.numpy()).all() and torch.equal(whole[1:3], VALUE)
