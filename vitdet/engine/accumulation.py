"""`--accumulate N`: the gradients of N batches make one update."""

from typing import Any

from mmengine.config import Config

from vitdet.errors import UserError


def accumulate_gradients(config: Config, num_batches: int) -> None:
    """Let each update take the gradients of `num_batches` batches, in place.

    What a config counts in steps goes on meaning updates: an iteration-based run takes
    `num_batches` times as many steps, and schedules by step stretch. A learning rate in proportion
    to the images of a step counts those of an update. A config that accumulates as many already,
    as that of a run to be resumed, stays as it is; so does any for `num_batches` of 1.

    Raises:
        UserError: `num_batches` is not positive, or the config accumulates another number.
    """
    if num_batches < 1:
        raise UserError(f"--accumulate {num_batches}: it counts batches, at least 1")
    stated = config["optim_wrapper"].get("accumulative_counts", 1)
    if num_batches in (stated, 1):
        return
    if stated != 1:
        raise UserError(
            f"--accumulate {num_batches}: the config accumulates {stated} already "
            "(optim_wrapper.accumulative_counts); leave the flag out"
        )
    config["optim_wrapper"]["accumulative_counts"] = num_batches
    if "max_iters" in config["train_cfg"]:
        _multiply(config["train_cfg"], ("max_iters", "val_interval", "val_begin"), num_batches)
    for scheduler in config.get("param_scheduler") or []:
        if not scheduler.get("by_epoch", True):
            _multiply(scheduler, ("begin", "end", "T_max", "milestones"), num_batches)
    scaling = config.get("auto_scale_lr") or {}
    if "base_batch_size" in scaling:
        scaling["base_batch_size"] /= num_batches


def _multiply(node: Any, names: tuple[str, ...], factor: int) -> None:
    for name in names:
        value = node.get(name)
        if isinstance(value, list | tuple):
            node[name] = [factor * one for one in value]
        elif value is not None:
            node[name] = factor * value
