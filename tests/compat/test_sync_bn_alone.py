"""`MMSyncBN` without a process group is torch's batch norm; with one it asks it as before."""

import copy
import pickle

import pytest
import torch
import torch.distributed as dist
from mmcv.ops import SyncBatchNorm
from torch import nn

from vitdet.compat.sync_bn_alone import ThisProcess


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))


def test_is_batch_norm(batch: torch.Tensor) -> None:
    reference, layer = nn.BatchNorm2d(4), SyncBatchNorm(4)
    nn.init.uniform_(reference.weight)
    layer.load_state_dict(reference.state_dict())
    for _ in range(2):
        inputs = [batch.clone().requires_grad_() for _ in range(2)]
        outputs = [norm(one) for norm, one in zip((reference, layer), inputs, strict=True)]
        torch.testing.assert_close(outputs[1], outputs[0])
        for output in outputs:
            (output * batch.flip(0)).sum().backward()
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.weight.grad, reference.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.state_dict(), reference.state_dict())
    torch.testing.assert_close(layer.eval()(batch), reference.eval()(batch))


def test_can_be_copied_and_pickled(batch: torch.Tensor) -> None:
    layer = SyncBatchNorm(4)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(batch), layer(batch))


def test_a_process_group_is_used_where_there_is_one(tmp_path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        layer = SyncBatchNorm(4)
    finally:
        dist.destroy_process_group()
    assert not isinstance(layer.group, ThisProcess) and layer.group_size == 1
