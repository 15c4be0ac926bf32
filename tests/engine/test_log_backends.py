import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from tests.engine.toy_training import good_numbers, toy_config, with_evaluation, write_numbers
from vitdet.engine import log_backends
from vitdet.engine.log_backends import BACKENDS, WandbBackend, log_to
from vitdet.engine.runner import Runner
from vitdet.errors import UserError


def _logged(tmp_path: Path, name: str) -> Path:
    """The folder of a run that wrote there, too."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    data = write_numbers(tmp_path / "data", good_numbers(4))
    local = dict(type="mmengine.visualization.LocalVisBackend")
    visualizer = dict(type="mmengine.visualization.Visualizer", vis_backends=[local])
    interval = dict(logger=dict(type="mmengine.hooks.LoggerHook", interval=1))
    config = toy_config(data, tmp_path / "run", visualizer=visualizer, default_hooks=interval)
    log_to(config, [name])
    Runner.from_cfg(with_evaluation(config)).train()
    assert list((tmp_path / "run").glob("*/vis_data/scalars.json"))
    return tmp_path / "run"


def test_tensorboard(tmp_path: Path) -> None:
    run = _logged(tmp_path, "tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(next(run.glob("*/vis_data"))))
    events.Reload()
    assert [one.step for one in events.Scalars("loss")] == [1, 2]


def test_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = _logged(tmp_path, "wandb")
    files = list(run.glob("*/vis_data/wandb/offline-run-*/*.wandb"))
    assert len(files) == 1
    assert b"loss_first" in files[0].read_bytes()


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = _logged(tmp_path, "mlflow")
    (losses,) = run.glob("*/vis_data/*/*/metrics/loss")
    assert len(losses.read_text().splitlines()) == 2
    assert losses.with_name("AR_1").is_file()


def test_each_backend_is_added_once_and_none_is_lost() -> None:
    board = dict(type="mmengine.visualization.TensorboardVisBackend")
    local = dict(type="mmengine.visualization.LocalVisBackend")
    config = Config(dict(visualizer=dict(type="Visualizer", vis_backends=[local, board])))
    if importlib.util.find_spec("tensorboard") is None:
        pytest.skip("tensorboard is not installed")
    log_to(config, ["tensorboard"])
    assert [dict(one) for one in config.visualizer.vis_backends] == [local, board]


@pytest.mark.parametrize("name", BACKENDS)
def test_a_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_backends, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=rf'--log {name}: .* pip install "vitdet\[{name}\]"'):
        log_to(Config(dict()), [name])


def test_an_account_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class UsageError(Exception):
        __module__ = "wandb.errors"

    def init(**_: object) -> None:
        raise UsageError("No API key configured")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    backend = WandbBackend(str(tmp_path))
    with pytest.raises(UserError, match=r"--log wandb: No API key .*WANDB_MODE=offline"):
        backend.add_scalar("loss", 1.0)
