"""Errors whose cause a user can mend, said in one line: memory that runs out, workers' errors."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError

_MEMORY_SIGNS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_NO_COMPILER = "No working C++ compiler found"
_TOO_FEW_PLACES = "selected index k out of range"
_WORKER_SIGNS = ("DataLoader worker (pid", "insufficient shared memory")
_OF_WORKER = re.compile(r"Caught \w+ in DataLoader worker process")


@contextmanager
def clear_errors(config: Mapping[str, Any], part: str) -> Iterator[None]:
    """Raise a UserError in place of what `config` or the machine has too little memory for, and of
    a UserError that torch brings from a loader's worker with its traceback.

    part: "train" or "test", whose loader counts.
    """
    try:
        yield
    except UserError as error:
        if not _OF_WORKER.match(str(error)):
            raise
        raise UserError(_last_message(str(error))) from error
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        text = str(error)
        if _NO_COMPILER in text:
            raise UserError(
                "--compile needs a C++ compiler, such as g++, and there is none (CXX names "
                "another): install one, or leave --compile out"
            ) from error
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or _has(text, _MEMORY_SIGNS):
            raise UserError(_out_of_memory(text, config, part)) from error
        if _TOO_FEW_PLACES in text and "num_queries" in (config.get("model") or {}):
            raise UserError(
                f"an image's maps have fewer places than the model takes proposals from them "
                f"(model.num_queries={config['model']['num_queries']}): take larger images (the "
                "scale in the pipeline), or fewer queries"
            ) from error
        if _has(text, _WORKER_SIGNS):
            raise UserError(
                f"a process of the data loader has ended ({_first_line(text)}), most likely as "
                f"memory ran out; take fewer of them (now {part}_dataloader.num_workers="
                f"{(config.get(f'{part}_dataloader') or {}).get('num_workers', 0)})"
            ) from error
        raise


def _out_of_memory(text: str, config: Mapping[str, Any], part: str) -> str:
    """What to change, the cheapest first."""
    batch = (config.get(f"{part}_dataloader") or {}).get("batch_size", 1)
    is_training = part == "train"
    remedies = []
    if batch > 1:
        same = " and --accumulate 2" if is_training else ""
        remedies.append(f"{part}_dataloader.batch_size={batch // 2}{same}")
    if is_training:
        wrapper = config.get("optim_wrapper") or {}
        remedies += [] if "Amp" in str(wrapper.get("type")) else ["--amp"]
        remedies += _checkpointing(config)
        remedies.append("--auto-batch, which finds out how many images fit")
    remedies.append("smaller images (the scale in the pipeline)")
    what = "the training" if is_training else "the test"
    return (
        f"memory ran out in {what}, with {batch} images a step ({_first_line(text)}): take "
        f"{', or '.join(remedies)}"
    )


def _checkpointing(config: Mapping[str, Any]) -> list[str]:
    """The option that recomputes a backbone's blocks in the backward pass, where it is not set."""
    backbone = (config.get("model") or {}).get("backbone") or {}
    cls = class_of(backbone, config.get("default_scope") or "mmengine")
    names = ("with_checkpoint", "with_cp") if cls is not None else ()
    known = parameters_of(cls) if cls is not None else ()
    return [
        f"activation checkpointing (model.backbone.{name}=True)"
        for name in names
        if name in known and not backbone.get(name)
    ]


def _has(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign.lower() in text.lower() for sign in signs)


def _first_line(text: str) -> str:
    """The first sentence of a message, without torch's counts of memory."""
    line = text.strip().splitlines()[0] if text.strip() else "no memory"
    return line.split(". ")[0][:200].rstrip(".")


def _last_message(traceback: str) -> str:
    """The message that the traceback of a worker ends in."""
    return re.split(r"\s(?:\w+\.)*UserError: ", traceback.strip())[-1].strip()
