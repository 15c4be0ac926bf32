"""mmengine's training loops, which can start anywhere in a run."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch import nn

from vitdet.engine.random_state import restore_random_state
from vitdet.engine.resumable_batches import ResumableBatches


class ResumableLoop:
    """What both loops share: where they start, and when they evaluate."""

    position: dict[str, Any] | None = None
    """Of the checkpoint that is gone on from, see `SaveCheckpoints`; None in a new run."""

    def _begin(self) -> None:
        """Set this process's generators as they were, and evaluate if that was not done yet."""
        if self.position is None:
            return
        states = self.position["random"]
        if len(states) == self.runner.world_size:
            restore_random_state(states[self.runner.rank])
        else:
            self._say(
                f"saved by {len(states)} processes and resumed by {self.runner.world_size}: it "
                "goes on with other random numbers"
            )
        is_amid_epoch = self.position["batch"] > 0  # the epoch before it was evaluated
        if not self.position["is_evaluated"] and not is_amid_epoch:
            self._evaluate_if_due()

    def _evaluate_if_due(self) -> None:
        """Run the evaluation that follows what has been trained, if one does."""
        self._decide_current_val_interval()
        by_epoch = isinstance(self, EpochBasedTrainLoop)
        done, last = (self.epoch, self.max_epochs) if by_epoch else (self.iter, self.max_iters)
        is_due = done > 0 and (done % self.val_interval == 0 or done == last)
        if self.runner.val_loop is not None and done >= self.val_begin and is_due:
            self.runner.val_loop.run()

    def _say(self, message: str) -> None:
        print_log(message, logger="current", level="WARNING")


class EpochLoop(ResumableLoop, EpochBasedTrainLoop):
    """Trains epoch by epoch; resumed, from the batch of the epoch that comes next."""

    def run(self) -> nn.Module:
        self.runner.call_hook("before_train")
        self._begin()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._evaluate_if_due()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        self.runner.call_hook("before_train_epoch")
        self.runner.model.train()
        done = self._skip_what_was_done()
        for index, batch in enumerate(self.dataloader, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def _skip_what_was_done(self) -> int:
        """Batches of the epoch that were trained before the run was resumed."""
        position, self.position = self.position, None
        if position is None or position["batch"] == 0:
            return 0
        batches = self.dataloader.batch_sampler
        is_same = position["num_batches"] == len(self.dataloader)
        if not is_same or not isinstance(batches, ResumableBatches):
            self._say("the epoch begins anew: it had other batches when the checkpoint was saved")
            return 0
        return batches.skip(position["batch"])


class StepLoop(ResumableLoop, IterBasedTrainLoop):
    """Trains step by step, through the data as often as needed."""

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        max_iters: int,
        *,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        # Not IterBasedTrainLoop's: it starts the loader before it is known where to start.
        BaseLoop.__init__(self, runner, dataloader)
        self._max_iters, self._max_epochs = int(max_iters), 1
        self._iter = self._epoch = 0
        self.val_begin, self.val_interval = val_begin, val_interval
        self.stop_training = False
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(
            val_interval, dynamic_intervals
        )
        runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, "metainfo", None)

    def run(self) -> nn.Module:
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        with closing(self._batches(first=self._iter)) as self.dataloader_iterator:
            self._begin()
            while self._iter < self._max_iters and not self.stop_training:
                self.runner.model.train()
                self.run_iter(next(self.dataloader_iterator))
                self._evaluate_if_due()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _batches(self, first: int) -> Iterator[Any]:
        """The loader's batches without end, those before `first` left out."""
        batches, epoch = self.dataloader.batch_sampler, 0
        if first and not isinstance(batches, ResumableBatches):
            self._say("the data begin anew: their loader cannot start at a later batch")
            first = 0
        while first:
            self._start_epoch(epoch)
            skipped = batches.skip(first)
            assert skipped, "a loader without batches"
            first -= skipped
            if first:
                epoch += 1
        while True:
            yield from self.dataloader
            epoch += 1
            self._start_epoch(epoch)

    def _start_epoch(self, epoch: int) -> None:
        sampler = getattr(self.dataloader.batch_sampler, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(epoch)
