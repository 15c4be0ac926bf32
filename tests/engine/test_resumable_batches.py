"""The order of samples, and what each draws, follow from the position in the run alone."""

import pickle
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, Dataset

from vitdet.engine.random_state import random_state, restore_random_state
from vitdet.engine.resumable_batches import ResumableBatches

Draws = tuple[int, float, float, float]


class Drawing(Dataset):
    """Each sample is its index and a number from each generator."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> Draws:
        return index, random.random(), np.random.rand(), torch.rand(()).item()

    def get_data_info(self, index: int) -> dict:
        return dict(width=1 + index % 3, height=2)


def batches_of(
    *, num_workers: int = 0, skip: int = 0, epoch: int = 0, grouped: bool = False
) -> list[list[Draws]]:
    data = Drawing()
    sampler = DefaultSampler(data, seed=5)
    sampler.set_epoch(epoch)
    grouped_by = dict(type=AspectRatioBatchSampler) if grouped else None
    batches = ResumableBatches(sampler, 3, seed=7, grouped_by=grouped_by)
    assert batches.skip(skip) == skip
    loader = DataLoader(
        data,
        batch_sampler=batches,
        num_workers=num_workers,
        collate_fn=list,
        generator=torch.Generator(),
    )
    return list(loader)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_number_of_workers_changes_nothing(grouped: bool) -> None:
    alone = batches_of(grouped=grouped)
    assert len(alone) == 4
    assert batches_of(grouped=grouped, num_workers=2) == alone


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("skip", [1, 3, 4])
def test_a_later_start_gives_the_rest(skip: int, grouped: bool) -> None:
    assert batches_of(skip=skip, grouped=grouped) == batches_of(grouped=grouped)[skip:]


def test_every_sample_and_every_epoch_draws_for_itself() -> None:
    drawn = [
        sample[1:] for epoch in (0, 1) for batch in batches_of(epoch=epoch) for sample in batch
    ]
    assert len({number for sample in drawn for number in sample}) == 2 * 11 * 3


def test_the_main_process_draws_on_as_if_no_sample_had() -> None:
    before = random_state()
    batches_of()
    after = random_state()
    assert after["python"] == before["python"] and after["numpy"] == before["numpy"]
    assert torch.equal(after["torch"], before["torch"])


def test_a_state_that_was_written_and_read_is_the_same(tmp_path) -> None:
    torch.save(random_state(), tmp_path / "state.pth")
    drawn = random.random(), np.random.randn(), torch.rand(3)
    restore_random_state(torch.load(tmp_path / "state.pth", weights_only=True))
    assert (random.random(), np.random.randn()) == drawn[:2]
    assert torch.equal(torch.rand(3), drawn[2])


def test_two_processes_see_what_one_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """In twos, the processes take turns in the order of the one, and draw the same."""

    def samples(rank: int, world_size: int) -> list[Draws]:
        for module in ("mmengine.dataset.sampler", "vitdet.engine.resumable_batches"):
            monkeypatch.setattr(f"{module}.get_dist_info", lambda: (rank, world_size))
        return [sample for batch in batches_of() for sample in batch]

    alone, first, second = samples(0, 1), samples(0, 2), samples(1, 2)
    assert first == alone[0::2]
    assert second[:5] == alone[1::2]  # the sixth fills up


def test_a_batch_travels_to_a_worker_without_drawing() -> None:
    batch = next(iter(ResumableBatches(InfiniteSampler(range(9), seed=1), 4, seed=1)))
    before = torch.get_rng_state()
    copy = pickle.loads(pickle.dumps(batch))
    assert torch.equal(torch.get_rng_state(), before)
    assert _indices(copy) == _indices(batch) and len(copy) == 4


def test_an_infinite_order_can_be_entered_anywhere() -> None:
    def batches() -> ResumableBatches:
        return ResumableBatches(InfiniteSampler(range(5), seed=1), 2, seed=1)

    whole = [_indices(batch) for batch, _ in zip(batches(), range(20), strict=False)]
    later = batches()
    later.skip(13)
    rest = [_indices(batch) for batch, _ in zip(later, range(7), strict=False)]
    assert rest == whole[13:]


def _indices(batch: Sequence[int]) -> list[int]:
    return list(batch)
