from pathlib import Path

import pytest

from tests.engine.toy_training import good_numbers, toy_runner, write_numbers
from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine import log_history


def test_checkpoints_do_not_grow_with_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_history, "KEPT", 3)
    data = write_numbers(tmp_path / "data", good_numbers(4))
    lengths = {}
    for epochs in (1, 4):
        folder = tmp_path / str(epochs)
        runner = toy_runner(data, folder, train_cfg__max_epochs=epochs)
        runner.train()
        (losses, _) = runner.message_hub.get_scalar("train/loss_first").data
        lengths[epochs] = len(losses)
        hub = read_checkpoint(folder / "last.pth")["message_hub"]
        kept = [len(one.data[0]) for one in hub["log_scalars"].values()]
        assert kept and max(kept) <= 3
    assert lengths == {1: 2, 4: 3}
