import multiprocessing
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.engine.toy_training import good_numbers, toy_config, with_evaluation, write_numbers
from vitdet.engine import loader_workers
from vitdet.engine.loader_workers import choose_workers
from vitdet.engine.runner import Runner
from vitdet.errors import UserError


def config(num_workers: int | None = None) -> Config:
    return Config(
        {
            "train_dataloader": dict(batch_size=2, num_workers=num_workers),
            "val_dataloader": dict(batch_size=1, num_workers=3),
        }
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A machine of so many cores and processes, of which a container may use a share."""

    def build(cores: int, processes: int = 1, quota: str = "max 100000") -> None:
        (tmp_path / "cpu.max").write_text(quota)
        monkeypatch.setattr(loader_workers, "_QUOTA", tmp_path / "cpu.max")
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))

    return build


@pytest.mark.parametrize(
    ("cores", "processes", "quota", "expected"),
    [
        (16, 1, "max 100000", 8),
        (16, 4, "max 100000", 3),
        (4, 1, "max 100000", 3),
        (2, 8, "max 100000", 1),
        (64, 1, "350000 100000", 2),
        (64, 1, "50000 100000", 1),
        (6, 1, "nonsense", 5),
    ],
)
def test_a_gpu_gets_the_cores_that_it_has_for_itself(
    machine, cores: int, processes: int, quota: str, expected: int
) -> None:
    machine(cores, processes, quota)
    chosen = config()
    choose_workers(chosen, "cuda:0")
    assert chosen.train_dataloader == dict(batch_size=2, num_workers=expected, pin_memory=True)
    assert chosen.val_dataloader.num_workers == 3


def test_a_cpu_that_computes_the_model_gets_one(machine) -> None:
    machine(32)
    chosen = config()
    choose_workers(chosen, "cpu")
    assert chosen.train_dataloader == dict(batch_size=2, num_workers=1)


def test_what_is_stated_stays(machine) -> None:
    machine(32)
    for stated in (0, 5):
        chosen = config(stated)
        chosen.train_dataloader.pin_memory = False
        choose_workers(chosen, "cuda")
        assert chosen.train_dataloader.num_workers == stated
        assert chosen.train_dataloader.pin_memory is False


def test_without_control_groups_all_cores_count(monkeypatch: pytest.MonkeyPatch, machine) -> None:
    machine(12)
    monkeypatch.setattr(loader_workers, "_QUOTA", Path("/nowhere/cpu.max"))
    chosen = config()
    choose_workers(chosen, "cuda")
    assert chosen.train_dataloader.num_workers == 8


@pytest.mark.parametrize(
    "loop", [dict(max_epochs=2), dict(type="mmengine.runner.IterBasedTrainLoop", max_iters=5)]
)
@pytest.mark.parametrize("can_be_read", [True, False])
def test_workers_end_with_the_training(tmp_path: Path, loop: dict, can_be_read: bool) -> None:
    values = good_numbers(8) if can_be_read else ["?"] * 8
    config = toy_config(write_numbers(tmp_path / "data", values), tmp_path / "run")
    config.train_dataloader.update(num_workers=1, persistent_workers=True)
    config.train_cfg = dict(type=config.train_cfg.type) | loop
    runner = Runner.from_cfg(with_evaluation(config))
    if can_be_read:
        runner.train()
    else:
        with pytest.raises(UserError, match="cannot be read"):
            runner.train()
    assert multiprocessing.active_children() == []
    assert runner.train_dataloader is not None  # and with it what torch would wait for
