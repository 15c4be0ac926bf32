"""Steps whose loss is not finite: said, left out, and after some in a row the end of the run."""

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from vitdet.engine.bad_batch import image_names, save_batch, save_weights
from vitdet.engine.random_state import random_state
from vitdet.engine.sharding import whole
from vitdet.engine.step_guard import StepGuard
from vitdet.errors import UserError

FOLDER = "bad_batch"
_NAMED_IMAGES = 8


class SkipBadSteps(Hook):
    """Leaves out a step with a NaN or infinite loss and names the terms and the image files.

    Afterwards the model is what it was before the step, running statistics of its norms included.
    After `max_in_a_row` such steps without an update between them the run ends; batch, weights and
    random state of the last one are then in the folder `bad_batch` of the run, for
    `vitdet.engine.bad_batch.replay`.

    Values that are not finite are taken out of the step's outputs, so that no mean of a log has
    them.
    """

    priority = "HIGHEST"  # before the outputs are logged

    def __init__(self, *, max_in_a_row: int = 5) -> None:
        self.max_in_a_row = max_in_a_row
        self.in_a_row = 0
        self.total = 0
        self._guard: StepGuard | None = None

    def before_train(self, runner: Any) -> None:
        # A dict of wrappers belongs to a model that updates in its own way.
        if isinstance(runner.optim_wrapper, OptimWrapper):
            self._guard = StepGuard(runner.optim_wrapper)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._model = model
        self._statistics = running_statistics(model)
        self._kept_statistics = [tensor.clone() for tensor in self._statistics]

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if self._guard is None:
            return
        self._guard.before_step()
        self._random_state = random_state()
        if self._statistics:
            torch._foreach_copy_(self._kept_statistics, self._statistics)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        if self._guard is None:
            return
        if not self._guard.is_bad():
            if self._guard.has_updated:  # not a good batch whose update another one spoils
                self.in_a_row = 0
            return
        if self._statistics:
            torch._foreach_copy_(self._statistics, self._kept_statistics)
        self.in_a_row += 1
        self.total += 1
        bad = _take_bad(outputs if outputs is not None else {})
        what = _describe(all_gather_object((bad, image_names(data_batch))))
        if self.in_a_row >= self.max_in_a_row:
            self._stop(runner, data_batch, what)
        runner.logger.warning(
            f"step {runner.iter + 1}: {what}; the step is left out ({self.in_a_row} in a row, the "
            f"run ends at {self.max_in_a_row}; {self.total} in all)"
        )

    def _stop(self, runner: Any, batch: Any, what: str) -> None:
        folder = Path(runner.work_dir, FOLDER)
        folder.mkdir(exist_ok=True)
        save_batch(folder, batch, self._random_state, rank=get_rank())
        weights = whole(self._model.state_dict())
        if is_main_process():
            save_weights(folder, weights, runner.cfg, step=runner.iter)
        if all(bool(torch.isfinite(one).all()) for one in weights.values() if one is not None):
            remedy = (
                "lower the learning rate (optim_wrapper.optimizer.lr), train without --amp, or "
                "look at these images"
            )
        else:
            remedy = (
                "the weights are no longer finite, an earlier update was too large: go on from an "
                "earlier checkpoint with a lower learning rate or optim_wrapper.clip_grad"
            )
        raise UserError(
            f"step {runner.iter + 1} and those before it, {self.in_a_row} in a row: {what}; "
            f"{remedy}; batch, weights and random state are in {folder}"
        )


def running_statistics(model: nn.Module) -> list[Tensor]:
    """What batch norms learn from the images of a step without a gradient."""
    norms = [one for one in model.modules() if isinstance(one, _NormBase)]
    return [buffer for norm in norms for buffer in norm.buffers(recurse=False)]


def _take_bad(outputs: dict[str, Tensor]) -> dict[str, float]:
    """Take the values that are not finite out of `outputs`."""
    names = [name for name, value in outputs.items() if not torch.isfinite(torch.as_tensor(value))]
    return {name: float(torch.as_tensor(outputs.pop(name)).detach()) for name in names}


def _describe(found: list[tuple[dict[str, float], list[str]]]) -> str:
    """What is not finite, by process where there are several, and on which images."""
    terms: dict[str, float] = {}
    images: list[str] = []
    has_bad = any(bad for bad, _ in found)
    for bad, names in found:
        if bad or not has_bad:
            terms.update(bad)
            images += names
    if len(terms) > 1:
        terms.pop("loss", None)  # the sum, which says less
    said = ", ".join(f"{name} is {value}" for name, value in terms.items())
    more = f" and {len(images) - _NAMED_IMAGES} more" if len(images) > _NAMED_IMAGES else ""
    where = f", on {', '.join(images[:_NAMED_IMAGES])}{more}" if images else ""
    return f"{said or 'the norm of the gradients is not finite'}{where}"
