"""Saves a run: `last.pth` to go on from, and `best.pth`."""

import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast, is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop
from torch import distributed

from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine.bad_steps import running_statistics
from vitdet.engine.checkpoint_files import NEXT, drop_previous, promote_next, remove_leftovers
from vitdet.engine.random_state import random_state
from vitdet.engine.work_dir import BEST
from vitdet.errors import UserError
from vitdet.registry import HOOKS

_NOTHING, _SAVE, _STOP = range(3)


@HOOKS.register_module()
class SaveCheckpoints(Hook):
    """Writes `last.pth` again and again, and `best.pth` after each better evaluation.

    `last.pth` is complete, for going on; the one before it stays as `last.1.pth`, `keep` in all.
    It is written after each epoch and evaluation, every `interval` steps and every `minutes`, and
    when a signal asks the run to stop; but only when optimizer and gradients are at rest (never
    amid accumulated ones), and not while saving would take more than `max_share` of the time.
    Beside what mmengine saves it holds `position`: batches done in the epoch, whether the
    evaluation that follows is done, and the random states of all processes.

    `best.pth` holds weights, config and class names only. `metric` is the key to compare, by
    default the first that ends in mAP or mIoU; larger is better.
    """

    priority = "VERY_LOW"

    def __init__(
        self,
        *,
        interval: int = 1000,
        minutes: float = 10,
        keep: int = 2,
        max_share: float = 0.05,
        metric: str | None = None,
    ) -> None:
        self.interval = interval
        self.minutes = minutes
        self.keep = keep
        self.max_share = max_share
        self.metric = metric
        self.best_score = float("-inf")
        self._seconds = self._total = 0.0  # that the last saving of `last.pth` took, and all
        self._began = self._saved_at = 0.0
        self.saved_step: int | None = None
        self._is_owed = False
        self._position: dict[str, Any] | None = None
        self._whole: dict[str, Any] = {}  # in place of this process's shares
        self._group: distributed.ProcessGroup | None = None

    def before_train(self, runner: Any) -> None:
        folder = Path(runner.work_dir)
        if runner._resume and (folder / BEST).is_file():
            try:
                best = read_checkpoint(folder / BEST)
            except UserError as error:
                runner.logger.warning(f"{BEST} is made anew: {error}")
            else:
                self.best_score = best["meta"].get("best_score", self.best_score)
        if is_main_process():
            remove_leftovers(folder)
        if runner.world_size > 1:
            # On the host: asking after each step must not wait for a GPU.
            self._group = distributed.new_group(backend="gloo")
        self._began = self._saved_at = time.monotonic()

    def after_train(self, runner: Any) -> None:
        share = self._total / (time.monotonic() - self._began)
        runner.logger.info(f"saving took {self._total:.1f} s, {share:.1%} of the training")

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        if runner._resume:
            runner.train_loop.position = checkpoint.get("position")

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        if self._position is not None:
            checkpoint["position"] = self._position
        for name in checkpoint.keys() & self._whole.keys():
            checkpoint[name] = self._whole[name]

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        is_end = self.is_last_train_iter(runner) and _is_by_step(runner)
        self._is_owed |= self.every_n_train_iters(runner, self.interval) or is_end
        if not _is_at_rest(runner.optim_wrapper):
            return
        wish = _SAVE if self._may_save(is_end) else _NOTHING
        if runner.stop_signals.received is not None:
            wish = _STOP
        wish = self._agree(wish)
        if wish == _NOTHING:
            return
        batch = 0 if _is_by_step(runner) else batch_idx + 1
        self._save(runner, runner.epoch, runner.iter + 1, batch=batch, must_succeed=is_end)
        if wish == _STOP:
            runner.stop_signals.stop()

    def after_train_epoch(self, runner: Any) -> None:
        if not _is_by_step(runner):
            self._save_between_epochs(runner, runner.epoch + 1)

    def before_val_epoch(self, runner: Any) -> None:
        # Each process's are of its own images. Those of the main one are saved, and read back by
        # all; an average would depend on when it is taken. As by torch's `broadcast_buffers`.
        for statistics in running_statistics(runner.model):
            broadcast(statistics)

    def after_val_iter(self, runner: Any, **_: Any) -> None:
        # What was trained is saved. Several processes evaluate different numbers of batches, so
        # they stop together after the next step.
        if runner.stop_signals.received is not None and runner.world_size == 1:
            runner.stop_signals.stop()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        name = self.metric or _main_metric(metrics or {})
        if name is not None and metrics[name] > self.best_score:
            self._whole = runner.whole_states()
            self._save_best(runner, name, metrics[name])
            self._whole = {}
            self.best_score = metrics[name]
        if _is_by_step(runner):
            self._is_owed = True
            if self._agree(_SAVE if self._may_save() else _NOTHING):
                self._save(runner, runner.epoch, runner.iter, is_evaluated=True)
        else:
            self._save_between_epochs(runner, runner.epoch, is_evaluated=True)

    def _save_between_epochs(self, runner: Any, epoch: int, *, is_evaluated: bool = False) -> None:
        self._is_owed = True
        is_end = epoch == runner.max_epochs and not is_evaluated
        if not _is_at_rest(runner.optim_wrapper):
            return
        if self._agree(_SAVE if self._may_save(is_end) else _NOTHING):
            self._save(runner, epoch, runner.iter, is_evaluated=is_evaluated, must_succeed=is_end)

    def _may_save(self, is_end: bool = False) -> bool:
        """Whether the main process finds that it is time for it."""
        passed = time.monotonic() - self._saved_at
        is_due = self._is_owed or passed > 60 * self.minutes
        is_cheap = self._seconds <= self.max_share * passed
        return is_main_process() and (is_end or (is_due and is_cheap))

    def _agree(self, wish: int) -> int:
        """The strongest wish of all processes."""
        if self._group is None:
            return wish
        strongest = torch.tensor(wish)
        distributed.all_reduce(strongest, distributed.ReduceOp.MAX, group=self._group)
        return int(strongest)

    def _save(
        self,
        runner: Any,
        epoch: int,
        iteration: int,
        *,
        batch: int = 0,
        is_evaluated: bool = False,
        must_succeed: bool = False,
    ) -> None:
        """Write `last.pth` from all processes.

        Raises:
            UserError: it cannot be written, and `must_succeed`; else that is a line of the log.
        """
        began = time.monotonic()
        self._position = dict(
            batch=batch,
            num_batches=len(runner.train_dataloader),
            is_evaluated=is_evaluated,
            random=self._random_states(),
        )
        self._whole = runner.whole_states()
        problem = None
        if is_main_process():
            try:
                self._write(runner, dict(epoch=epoch, iter=iteration))
                self.saved_step = iteration
            except UserError as error:
                problem = error
        self._position, self._whole = None, {}
        self._agree(_NOTHING)  # nobody leaves while the file is being written
        self._saved_at = time.monotonic()
        self._seconds = self._saved_at - began
        self._total += self._seconds
        self._is_owed = False
        if problem is not None:
            if must_succeed:
                raise problem
            runner.logger.warning(f"step {iteration}: {problem}; the training goes on")

    def _write(self, runner: Any, meta: dict[str, int]) -> None:
        folder = Path(runner.work_dir)
        try:
            runner.save_checkpoint(folder, NEXT, meta=dict(meta))
        except UserError:
            if not drop_previous(folder):
                raise
            runner.logger.warning(f"no room for {NEXT}: files before last.pth are deleted")
            runner.save_checkpoint(folder, NEXT, meta=dict(meta))
        promote_next(folder, self.keep)

    def _random_states(self) -> list[dict[str, Any]]:
        """Those of all processes, in the main one."""
        if self._group is None:
            return [random_state()]
        states = [None] * distributed.get_world_size() if is_main_process() else None
        distributed.gather_object(random_state(), states, group=self._group)
        return states or []

    @master_only
    def _save_best(self, runner: Any, name: str, score: float) -> None:
        meta = dict(epoch=runner.epoch, iter=runner.iter, best_score=score, best_metric=name)
        try:
            runner.save_checkpoint(
                runner.work_dir, BEST, save_optimizer=False, save_param_scheduler=False, meta=meta
            )
        except UserError as error:
            runner.logger.warning(f"{name} {score:.4f} is the best so far, but {error}")
        else:
            runner.logger.info(f"{name} {score:.4f} is the best so far: saved as {BEST}")


def _is_by_step(runner: Any) -> bool:
    return isinstance(runner.train_loop, IterBasedTrainLoop)


def _is_at_rest(wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """Whether no gradients are waiting for more of them."""
    if isinstance(wrapper, OptimWrapperDict):
        return all(each.should_update() for each in wrapper.values())
    return wrapper.should_update()


def _main_metric(metrics: dict[str, float]) -> str | None:
    """The first metric that users rank models by, or else simply the first."""
    return next(
        (key for key in metrics if key.endswith(("mAP", "mIoU"))), next(iter(metrics), None)
    )
