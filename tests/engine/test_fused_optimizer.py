"""Fused optimizers are taken where there are any, and step as the plain ones do."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from torch import nn

from tests.engine.toy_training import good_numbers, toy_runner, write_numbers
from vitdet.engine.fused_optimizer import check_groups, fused_optimizer, merge_groups
from vitdet.errors import UserError

RULES = dict(custom_keys={"linear": dict(lr_mult=0.1)})


@pytest.mark.parametrize("kind", ["AdamW", "SGD", torch.optim.Adam])
def test_optimizers_with_a_fused_form_take_it(kind) -> None:
    config = ConfigDict(type="OptimWrapper", optimizer=dict(type=kind, lr=0.1))
    assert fused_optimizer(config, "mmengine")["optimizer"]["fused"] is True
    assert "fused" not in config["optimizer"]


@pytest.mark.parametrize("choice", [dict(foreach=True), dict(fused=False), dict(type="RMSprop")])
def test_others_and_those_that_choose_are_left_alone(choice) -> None:
    config = ConfigDict(optimizer={"type": "AdamW", "lr": 0.1, **choice})
    assert fused_optimizer(config, "mmengine") == config


def test_a_run_has_few_groups_and_all_parameters(tmp_path) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(4))
    runner = toy_runner(data, tmp_path / "run", optim_wrapper__paramwise_cfg=RULES)
    runner.train()
    groups = runner.optim_wrapper.optimizer.param_groups
    assert all(group["fused"] for group in groups)
    named = {id(p): name for name, p in runner.model.named_parameters()}
    found = {frozenset(named[id(p)] for p in group["params"]): group["lr"] for group in groups}
    assert found == {
        frozenset({"norm.weight", "norm.bias"}): 0.1,
        frozenset({"linear.weight", "linear.bias"}): pytest.approx(0.01),
    }


def test_fifty_steps_are_those_of_the_plain_form() -> None:
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 1))]
    models.append(copy.deepcopy(models[0]))
    steps = []
    for model, is_fused in zip(models, (True, False), strict=True):
        groups = [{"params": [p], "weight_decay": 0.1 * (p.ndim > 1)} for p in model.parameters()]
        optimizer = torch.optim.AdamW(groups, lr=0.01, fused=is_fused)
        if is_fused:
            merge_groups(optimizer)
            assert len(optimizer.param_groups) == 2
        steps.append(optimizer)
    x = torch.rand(50, 4, 6)
    for batch in x:
        losses = []
        for model, optimizer in zip(models, steps, strict=True):
            optimizer.zero_grad()
            losses.append((model(batch) ** 2).mean())
            losses[-1].backward()
            optimizer.step()
        torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-6)


def test_the_groups_of_another_optimizer_are_refused() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    check_groups({"optimizer": optimizer.state_dict()}, optimizer)
    with pytest.raises(UserError, match=r"has 2 groups of parameters, this run's 1"):
        check_groups({"optimizer": {"param_groups": [{}, {}]}}, optimizer)
