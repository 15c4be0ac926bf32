"""Which samples a run takes next, and what each draws at random: its position alone decides."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler, get_worker_info

from vitdet.engine.random_state import random_state, restore_random_state, seed_generators


class SeededBatch:
    """Indices of a batch. Who iterates over them finds the generators seeded for each sample.

    The loader iterates in the process that prepares the samples, so whatever data set and
    transforms draw there follows from the seeds. In the main process (`num_workers=0`) the
    generators are as before afterwards. No list: pickling one would iterate, too.
    """

    def __init__(self, indices: Sequence[Any], seeds: Sequence[tuple[int, ...]]) -> None:
        self.indices = indices
        self.seeds = seeds

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Any]:
        before = random_state() if get_worker_info() is None else None
        try:
            for index, seed in zip(self.indices, self.seeds, strict=True):
                seed_generators(seed)
                yield index
        finally:
            if before is not None:
                restore_random_state(before)


class ResumableBatches(Sampler):
    """The batches of `sampler`, or of the batch sampler that `grouped_by` configures, each seeded.

    A sample's seed is (seed of the run, epoch, position in the epoch among the samples of all
    processes): the number of workers changes nothing, and where all processes read from one
    order, neither does their number. `skip` starts later in the epoch; only indices are drawn.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        *,
        seed: int,
        grouped_by: dict | None = None,
        drop_last: bool = False,
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.seed = seed
        self.rank, self.world_size = get_dist_info()
        if grouped_by is None:
            self.batches = BatchSampler(sampler, batch_size, drop_last)
        else:
            defaults = dict(sampler=sampler, batch_size=batch_size)
            self.batches = DATA_SAMPLERS.build(grouped_by, default_args=defaults)
        self._begun: Iterator[SeededBatch] | None = None

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[SeededBatch]:
        begun, self._begun = self._begun, None
        yield from self._seeded() if begun is None else begun

    def skip(self, count: int) -> int:
        """Let the next iteration start `count` batches later; returns how many there were."""
        self._begun = self._seeded()
        return sum(1 for _ in islice(self._begun, count))

    def _seeded(self) -> Iterator[SeededBatch]:
        epoch, position = getattr(self.sampler, "epoch", 0), self.rank
        for indices in self.batches:
            places = range(position, position + len(indices) * self.world_size, self.world_size)
            yield SeededBatch(indices, [(self.seed, epoch, place) for place in places])
            position = places.stop
