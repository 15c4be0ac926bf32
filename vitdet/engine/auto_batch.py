"""`--auto-batch`: the images of a step that fit the memory, found by trying."""

import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

from vitdet.device import use_device
from vitdet.errors import UserError

_SHARE = 0.8  # images differ in size, and others need memory too
_MAX_BATCH = 16  # where the recipe does not say what its learning rate belongs to


def set_batch_size(config: Config, device: str) -> None:
    """Set the training loader's `batch_size` to the largest that fits, in place, and say so.

    Two steps are tried with 2 and with 4 images; memory grows in proportion to them. What follows
    is tried as well, and halved until it passes. More images than the recipe's learning rate
    belongs to (`auto_scale_lr.base_batch_size`) are not taken.

    Raises:
        UserError: not even two images fit.
    """
    limit = int((config.get("auto_scale_lr") or {}).get("base_batch_size", _MAX_BATCH))
    available = _available(device)
    two, four = (_peak(config, device, batch) for batch in (2, 4))
    if two is None or two > available:
        raise UserError(
            f"--auto-batch: a step with two images does not fit the memory of {device}: take a "
            "smaller model or smaller images (the pipelines' scale)"
        )
    batch = 2
    if four is not None:
        each = max((four - two) / 2, 1)
        batch = max(2, min(int((_SHARE * available - two) / each) + 2, limit))
    while batch > 2 and (batch != 4 and _peak(config, device, batch) is None):
        batch //= 2
    config["train_dataloader"]["batch_size"] = batch
    print_log(
        f"batch: {batch} images a step; 2 take {two / 2**30:.1f} GiB of {available / 2**30:.1f} "
        f"(at most the recipe's {limit})",
        logger="current",
    )


def _available(device: str) -> int:
    """Bytes that a training may take."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _peak(config: Config, device: str, batch: int) -> int | None:
    """Bytes that training steps take, in a process of their own; None where they do not fit."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_try, args=(theirs, config, device, batch))
    process.start()
    theirs.close()
    try:
        result = ours.recv()
    except EOFError:  # ended by the system
        result = None
    process.join()
    if isinstance(result, str):
        raise UserError(f"--auto-batch: a step with {batch} images failed: {result}")
    return result


def _try(connection: Connection, config: Config, device: str, batch: int) -> None:
    try:
        connection.send(_steps(config, device, batch))
    except (torch.OutOfMemoryError, MemoryError):
        connection.send(None)
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}".splitlines()[0])


def _steps(config: Config, device: str, batch: int) -> int:
    """Take two steps, the second with the optimizer's state; returns the peak in bytes."""
    use_device(device)
    loader = dict(config["train_dataloader"], batch_size=batch, num_workers=0)
    loader.update(persistent_workers=False)
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        data = next(iter(Runner.build_dataloader(loader, seed=0)))
        model = _model(config).to(device).train()
        optimizer = build_optim_wrapper(model, config["optim_wrapper"])
        for _ in range(2):
            model.train_step(data, optimizer)
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _model(config: Config) -> Any:
    """The model as it is built: of random weights, which take no less memory."""
    return revert_sync_batchnorm(MODELS.build(config["model"]))
