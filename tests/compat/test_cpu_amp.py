"""`AmpOptimWrapper` trains in bfloat16 on a CPU, and says so when asked for float16."""

import copy

import pytest
import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from vitdet.compat import cpu_amp
from vitdet.errors import UserError

pytestmark = pytest.mark.skipif(get_device() != "cpu", reason="mmengine chose another device")


def train(wrapper: OptimWrapper, model: nn.Module, steps: int = 3) -> torch.dtype:
    images = torch.linspace(-1, 1, 8).reshape(4, 2)
    for _ in range(steps):
        with wrapper.optim_context(model):
            output = model(images)
        wrapper.update_params(output.float().square().mean())
    return output.dtype


@pytest.fixture(autouse=True)
def computes_in_bfloat16(monkeypatch):
    """Whatever the machine the tests run on."""
    monkeypatch.setattr(cpu_amp, "has_bfloat16", lambda: True)


def test_without_bfloat16_arithmetic_it_stays_in_float32(monkeypatch):
    monkeypatch.setattr(cpu_amp, "has_bfloat16", lambda: False)
    torch.manual_seed(0)
    model = nn.Linear(2, 3)
    reference = copy.deepcopy(model)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    assert train(wrapper, model) == torch.float32
    plain = OptimWrapper(torch.optim.SGD(reference.parameters(), lr=0.1))
    train(plain, reference)
    assert torch.equal(model.weight, reference.weight)


@pytest.mark.parametrize("dtype", [None, "bfloat16", torch.bfloat16])
def test_steps_are_those_of_plain_autocast(dtype):
    torch.manual_seed(0)
    model = nn.Linear(2, 3)
    reference = copy.deepcopy(model)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = AmpOptimWrapper(dtype=dtype, optimizer=sgd, clip_grad={"max_norm": 0.1})
    assert train(wrapper, model) == torch.bfloat16

    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
    for _ in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            output = reference(torch.linspace(-1, 1, 8).reshape(4, 2))
        optimizer.zero_grad()
        output.float().square().mean().backward()
        nn.utils.clip_grad_norm_(reference.parameters(), 0.1)
        optimizer.step()
    assert torch.equal(model.weight, reference.weight)


@pytest.mark.parametrize("dtype", ["float16", torch.float16, "float64"])
def test_float16_is_refused_with_the_remedy(dtype):
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    with pytest.raises(UserError, match=r"set optim_wrapper\.dtype=bfloat16"):
        AmpOptimWrapper(dtype=dtype, optimizer=optimizer)


@pytest.mark.parametrize("scaler_state", [{"scale": 4.0, "growth_tracker": 1}, {}, None])
def test_state_of_any_device_resumes(scaler_state):
    model = nn.Linear(2, 3)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.AdamW(model.parameters()))
    train(wrapper, model)
    state = wrapper.state_dict()
    assert state["loss_scaler"] == {}
    if scaler_state is None:
        del state["loss_scaler"]
    else:
        state["loss_scaler"] = scaler_state
    resumed = AmpOptimWrapper(optimizer=torch.optim.AdamW(model.parameters()))
    resumed.load_state_dict(copy.deepcopy(state))
    assert resumed.optimizer.state_dict()["state"][0]["step"] == 3
