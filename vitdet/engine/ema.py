"""`--ema`: the exponential moving average of the weights, which is evaluated and saved."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseAveragedModel
from torch import Tensor, nn

from vitdet.engine.config_types import class_of
from vitdet.errors import UserError


class MovingAverage(BaseAveragedModel):
    """average <- average + max(momentum, 9 / (10 + t)) (weights - average) at update t.

    The second term, of Abadi et al. (`tf.train.ExponentialMovingAverage`), forgets the first
    weights of a short training. Running statistics of norms are averaged as the weights are, for
    these go together; integers are copied.
    """

    def __init__(self, model: nn.Module, *, momentum: float = 2e-4) -> None:
        super().__init__(model, update_buffers=True)
        self.momentum = momentum

    def update_parameters(self, model: nn.Module) -> None:
        """Take one update's weights in."""
        steps = int(self.steps)
        momentum = max(self.momentum, 9 / (10 + steps)) if steps else 1.0
        source = model.state_dict()
        averages: list[Tensor] = []
        weights: list[Tensor] = []
        for name, average in self.avg_parameters.items():
            if average.is_floating_point():
                averages.append(average)
                weights.append(source[name])
            else:
                average.copy_(source[name])
        torch._foreach_lerp_(averages, weights, momentum)
        self.steps += 1


class AverageWeights(EMAHook):
    """Evaluates and saves the moving average of the weights in place of the weights.

    It moves with each update of the weights: not with batches whose gradients are only added, nor
    with a step that was left out. `last.pth` holds both and goes on with both; its `state_dict`, as
    that of `best.pth`, is the average.
    """

    def __init__(self, *, momentum: float = 2e-4) -> None:
        super().__init__(ema_type=MovingAverage, momentum=momentum)
        self._has_updated = False
        self._is_training = False

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        self._is_training = True
        if not self.ema_model.steps:
            self.ema_model.module.load_state_dict(self.src_model.state_dict())
        wrapper = runner.optim_wrapper
        for one in getattr(wrapper, "optim_wrappers", {"": wrapper}).values():
            one.optimizer.register_step_post_hook(self._note_update)

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        if self._has_updated:
            self.ema_model.update_parameters(self.src_model)
            self._has_updated = False

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        super().before_save_checkpoint(runner, checkpoint)
        if "optimizer" not in checkpoint:  # best.pth is not gone on from
            del checkpoint["ema_state_dict"]

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        # Weights that a training starts from, in whatever layout, are copied when they are loaded.
        if runner._resume:
            super().after_load_checkpoint(runner, checkpoint)

    def _swap_ema_parameters(self) -> None:
        if self._is_training:  # a checkpoint that is only tested holds the average already
            super()._swap_ema_parameters()

    def _note_update(self, *_: Any) -> None:
        self._has_updated = True


def use_ema(config: Config) -> None:
    """Let a training average its weights, in place; a config that says how is left alone."""
    hooks = list(config.get("custom_hooks") or [])
    scope = config.get("default_scope") or "mmengine"
    if not any(issubclass(class_of(hook, scope) or object, EMAHook) for hook in hooks):
        config["custom_hooks"] = [*hooks, dict(type="vitdet.engine.ema.AverageWeights")]


def check_resumed(checkpoint: Mapping[str, Any], hooks: Sequence[Hook]) -> None:
    """Refuse to go on without an average from a checkpoint that has one.

    Raises:
        UserError: that is so.
    """
    if "ema_state_dict" in checkpoint and not any(isinstance(hook, EMAHook) for hook in hooks):
        raise UserError("--resume: the checkpoint is of a training with --ema; add --ema")
