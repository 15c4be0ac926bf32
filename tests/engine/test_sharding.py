"""A model that two processes share out learns, saves and resumes as one that each has whole."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.engine.conftest import TINY
from tests.engine.test_resume import At  # noqa: F401  a hook, registered
from tests.engine.test_two_processes import classifier, detr, losses_of_processes, maskrcnn, yolos
from tests.processes import in_processes
from vitdet import Predictor
from vitdet.checkpoints.files import read_checkpoint
from vitdet.compat import cpu_amp
from vitdet.engine import load_config, train
from vitdet.engine.sharding import use_sharding
from vitdet.errors import StoppedError, UserError

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def checkpointed(root: Path) -> Config:
    """What runs again in the backward pass has to be gathered again."""
    config = classifier(root)
    config.model.backbone.with_checkpoint = True
    return config


def _train(recipe: Callable[[Path], Config], root: Path, folder: Path, options: dict) -> None:
    config = recipe(root)
    config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    config.train_cfg.update(max_epochs=2, val_interval=2)
    config.optim_wrapper.clip_grad = dict(max_norm=0.1)
    stop = options.get("stop_after")
    stops = [dict(type="At", step=stop, what="SIGTERM")] if stop else []
    config.custom_hooks = [dict(type="RecordLosses"), *stops]
    if options.get("compile"):
        config.compile = dict(backend="aot_eager")  # traces as ever, and writes no code
    if options.get("amp"):
        cpu_amp.has_bfloat16 = lambda: True  # emulated, which does for a small model
    names = ("fsdp", "resume", "accumulate", "amp", "compile")
    flags = {key: options[key] for key in names if key in options}
    try:
        train(config, folder, seed=0, device="cpu", launcher="pytorch", **flags)
    except StoppedError:
        assert stop


def run(recipe: Callable[[Path], Config], root: Path, folder: Path, **options: Any) -> dict:
    """Train in two processes, twice four steps; returns what `last.pth` holds."""
    in_processes(2, _train, recipe, root, folder, options)
    return read_checkpoint(folder / "last.pth")


@needs_fork
@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(classifier, marks=pytest.mark.slow),
        checkpointed,
        pytest.param(detr, marks=pytest.mark.slow),
        pytest.param(yolos, marks=pytest.mark.slow),
        pytest.param(maskrcnn, marks=pytest.mark.slow),
    ],
)
def test_it_learns_what_whole_models_do(recipe: Callable[[Path], Config], tmp_path: Path) -> None:
    recipe(tmp_path)
    shared = run(recipe, tmp_path, tmp_path / "shared", fsdp=True, accumulate=2)
    whole = run(recipe, tmp_path, tmp_path / "whole", accumulate=2)
    losses = [losses_of_processes(tmp_path / name, 2) for name in ("shared", "whole")]
    assert losses[0].shape == (2, 8)
    torch.testing.assert_close(*map(torch.from_numpy, losses), rtol=1e-4, atol=0)
    torch.testing.assert_close(shared["state_dict"], whole["state_dict"], rtol=1e-3, atol=1e-5)
    ours, theirs = (one["optimizer"] for one in (shared, whole))
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for key, state in theirs["state"].items():
        assert {name: value.shape for name, value in state.items()} == {
            name: value.shape for name, value in ours["state"][key].items()
        }
    assert Predictor(tmp_path / "shared" / "best.pth", device="cpu")


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("flag", ["amp", "compile"])
def test_it_learns_what_whole_models_do_with(flag: str, tmp_path: Path) -> None:
    yolos(tmp_path)
    shared = run(yolos, tmp_path, tmp_path / "shared", fsdp=True, **{flag: True})
    whole = run(yolos, tmp_path, tmp_path / "whole", **{flag: True})
    plain = run(yolos, tmp_path, tmp_path / "plain")
    losses = [losses_of_processes(tmp_path / name, 2) for name in ("shared", "whole", "plain")]
    rounding = 1e-2 if flag == "amp" else 1e-4
    np.testing.assert_allclose(losses[0], losses[1], rtol=rounding)
    if flag == "amp":
        assert (abs(losses[0] / losses[2] - 1) > 1e-5).any()  # it was in bfloat16
    for name, value in whole["state_dict"].items():
        assert shared["state_dict"][name].dtype == plain["state_dict"][name].dtype
        torch.testing.assert_close(shared["state_dict"][name], value, rtol=rounding, atol=1e-3)


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "flags"), [(classifier, {}), (yolos, {"amp": True, "compile": True})]
)
def test_resumed_it_is_the_same_run(
    recipe: Callable[[Path], Config], flags: dict[str, bool], tmp_path: Path
) -> None:
    recipe(tmp_path)
    expected = run(recipe, tmp_path, tmp_path / "whole", fsdp=True, **flags)
    run(recipe, tmp_path, tmp_path / "cut", fsdp=True, stop_after=3, **flags)
    found = run(recipe, tmp_path, tmp_path / "cut", fsdp=True, resume=True, **flags)
    assert (tmp_path / "cut" / "losses.txt").read_text().count("\n") == 8
    for name in ("state_dict", "optimizer"):
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)


def test_one_process_has_nobody_to_share_with(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--fsdp shares .* start it with tools"):
        train(load_config(TINY, data=data), tmp_path, fsdp=True, device="cpu")


def test_processes_have_to_evaluate_as_many_batches() -> None:
    sampler = dict(type="mmengine.dataset.DefaultSampler", round_up=False)
    config = Config(dict(val_dataloader=dict(sampler=sampler)))
    with pytest.raises(UserError, match=r"val_dataloader\.sampler\.round_up=False"):
        use_sharding(config, "pytorch")


def test_an_average_is_refused() -> None:
    config = Config(dict(custom_hooks=[dict(type="vitdet.engine.ema.AverageWeights")]))
    with pytest.raises(UserError, match="--ema"):
        use_sharding(config, "pytorch")
