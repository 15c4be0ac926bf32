"""Makes `report.html` at the end of a run."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from vitdet.engine.checkpoint_hook import SaveCheckpoints
from vitdet.engine.training_check import findings_about
from vitdet.engine.work_dir import BEST
from vitdet.report import write_report


class KeepEvaluation(Hook):
    """Keeps what a report needs of an evaluation: of that which `best.pth` was saved after, or,
    where none was better than an earlier run's, of the last.
    """

    priority = "LOWEST"  # after SaveCheckpoints

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.metrics: dict[str, float] = {}
        self.record: Any = None
        self.evaluated = ""
        self._best_score: float | None = None
        self._keeps_best = False

    def before_train(self, runner: Any) -> None:
        self._best_score = _best_score(runner)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        score = _best_score(runner)
        is_best, self._best_score = score != self._best_score, score
        if self._keeps_best and not is_best:
            return
        self._keeps_best = is_best
        is_by_step = isinstance(runner.train_loop, IterBasedTrainLoop)
        when = f"step {runner.iter}" if is_by_step else f"epoch {runner.epoch}"
        self.evaluated = (
            f"{BEST}, after {when}" if is_best else f"The last evaluation, after {when}"
        )
        self._keep(runner.val_evaluator, metrics)

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        self.evaluated = f"Test of {runner.cfg.load_from}"
        self._keep(runner.test_evaluator, metrics)

    def _keep(self, evaluator: Any, metrics: Mapping[str, float] | None) -> None:
        self.metrics = dict(metrics or {})
        records = (getattr(metric, "record", None) for metric in evaluator.metrics)
        self.record = next((record for record in records if record is not None), None)

    def write(self, runner: Any, dataset: BaseDataset, *, device: str) -> None:
        """Write the report of what was kept; a failure costs one line of the log, never the run."""
        folder = Path(runner.work_dir)
        try:
            path = write_report(
                folder,
                config=runner.cfg,
                dataset=dataset,
                metrics=self.metrics,
                record=self.record,
                evaluated=self.evaluated,
                device=device,
                seconds=time.monotonic() - self.began,
                findings=findings_about(runner.cfg),
            )
        except Exception as error:  # whatever it is: the result of hours of training is there
            runner.logger.warning(
                f"no report was written ({type(error).__name__}: {error}); all else is complete"
            )
            return
        runner.logger.info(f"how it went, scores and mistakes are shown in {path}")


def _best_score(runner: Any) -> float | None:
    savers = [hook for hook in runner.hooks if isinstance(hook, SaveCheckpoints)]
    return savers[0].best_score if savers else None
