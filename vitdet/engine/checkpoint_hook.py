"""Keeps `last.pth` and `best.pth` of a run."""

from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine.work_dir import BEST, LAST


class SaveCheckpoints(Hook):
    """Writes `last.pth` after each epoch and `best.pth` after each better evaluation.

    `last.pth` is complete, for going on; `best.pth` holds weights, config and class names only.
    Iteration-based runs write `last.pth` every `interval` steps. `metric` is the key to compare, by
    default the first that ends in mAP or mIoU; larger is better.
    """

    priority = "VERY_LOW"

    def __init__(self, *, interval: int = 1000, metric: str | None = None) -> None:
        self.interval = interval
        self.metric = metric
        self.best_score = float("-inf")

    def before_train(self, runner: Any) -> None:
        best = Path(runner.work_dir, BEST)
        if runner._resume and best.is_file():
            self.best_score = read_checkpoint(best)["meta"].get("best_score", self.best_score)

    def after_train_epoch(self, runner: Any) -> None:
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            runner.save_checkpoint(runner.work_dir, LAST, by_epoch=True)

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        if isinstance(runner.train_loop, IterBasedTrainLoop) and (
            self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)
        ):
            runner.save_checkpoint(runner.work_dir, LAST, by_epoch=False)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        name = self.metric or _main_metric(metrics or {})
        if name is None or not metrics[name] > self.best_score:
            return
        self.best_score = metrics[name]
        self._save_best(runner, name)

    @master_only
    def _save_best(self, runner: Any, name: str) -> None:
        runner.save_checkpoint(
            runner.work_dir,
            BEST,
            save_optimizer=False,
            save_param_scheduler=False,
            meta=dict(
                epoch=runner.epoch, iter=runner.iter, best_score=self.best_score, best_metric=name
            ),
        )
        runner.logger.info(f"{name} {self.best_score:.4f} is the best so far: saved as {BEST}")


def _main_metric(metrics: dict[str, float]) -> str | None:
    """The first metric that users rank models by, or else simply the first."""
    return next(
        (key for key in metrics if key.endswith(("mAP", "mIoU"))), next(iter(metrics), None)
    )
