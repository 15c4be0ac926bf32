"""`--auto-batch`."""

from pathlib import Path

import pytest

from tests.engine.conftest import TINY
from vitdet.engine import auto_batch, load_config
from vitdet.errors import UserError

GIB = 2**30


def use_memory(monkeypatch: pytest.MonkeyPatch, *, each: int, fits: int = 10**6) -> list[int]:
    """Let a step take a GiB and `each` for each image; returns the batches that are tried."""
    tried = []

    def peak(config: object, device: str, batch: int) -> int | None:
        tried.append(batch)
        return GIB + each * batch if batch <= fits else None

    monkeypatch.setattr(auto_batch, "_peak", peak)
    monkeypatch.setattr(auto_batch, "_available", lambda device: 10 * GIB)
    return tried


@pytest.mark.parametrize(
    ("each", "fits", "batch"),
    [
        (GIB // 8, 10**6, 32),  # the recipe's number
        (GIB // 2, 10**6, 14),  # 0.8 of 10 GiB, less the first
        (GIB // 2, 10, 7),  # memory that is in pieces
        (4 * GIB, 2, 2),
    ],
)
def test_the_batch_that_fits(
    data: Path, monkeypatch: pytest.MonkeyPatch, each: int, fits: int, batch: int
) -> None:
    use_memory(monkeypatch, each=each, fits=fits)
    config = load_config(TINY, data=data, options={"auto_scale_lr.base_batch_size": 32})
    auto_batch.set_batch_size(config, "cpu")
    assert config.train_dataloader.batch_size == batch


def test_what_fits_nowhere(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_memory(monkeypatch, each=5 * GIB)
    with pytest.raises(UserError, match="a step with two images does not fit the memory of cpu"):
        auto_batch.set_batch_size(load_config(TINY, data=data), "cpu")


@pytest.mark.slow
def test_memory_of_real_steps_grows_with_the_images(data: Path) -> None:
    options = {"train_dataloader.dataset.filter_cfg": None}
    config = load_config(TINY, data=data, options=options)
    two, four = (auto_batch._peak(config, "cpu", batch) for batch in (2, 4))
    assert GIB // 10 < two < four < 8 * GIB
