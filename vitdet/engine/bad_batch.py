"""A batch whose loss is not finite, kept with all that brings that loss about again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.amp import autocast
from torch import Tensor

from vitdet.checkpoints.embedded_config import embedded_config, embedded_model, embedded_scope
from vitdet.checkpoints.files import read_checkpoint, write_checkpoint
from vitdet.engine.random_state import restore_random_state
from vitdet.errors import UserError

WEIGHTS = "weights.pth"


def image_names(batch: Any) -> list[str]:
    """The image files of a batch as the loader gives it; of images without a file their ids."""
    samples = batch.get("data_samples", ()) if isinstance(batch, Mapping) else ()
    return [
        str(sample.get("img_path") or f"image {sample.get('img_id')}") for sample in _flat(samples)
    ]


def save_weights(folder: Path, weights: dict[str, Tensor], config: Config, *, step: int) -> None:
    """Write the weights of a model and its config to `weights.pth` in `folder`."""
    meta = dict(cfg=config.pretty_text, iter=step)
    write_checkpoint(dict(meta=meta, state_dict=weights), folder / WEIGHTS)


def save_batch(folder: Path, batch: Any, state: dict[str, Any], *, rank: int) -> None:
    """Write what process `rank` was given, and its `random_state` before the step, to `folder`."""
    write_checkpoint(dict(batch=batch, random_state=state), folder / _batch_file(rank))


def replay(
    folder: str | Path,
    *,
    rank: int = 0,
    device: str = "cpu",
    trust: bool = False,
    trusted_modules: Sequence[str] = (),
) -> dict[str, float]:
    """The terms of the loss of a kept batch, computed again as the training did.

    Args:
        folder: `bad_batch` of a run.
        rank: of the process whose batch it is.
        device: to compute on.
        trust: says that the folder is from your own run: data samples are Python objects, which are
            unpickled.
        trusted_modules: modules of yours whose classes the config may name.

    Raises:
        UserError: `trust` is missing, or the weights are.
    """
    if not trust:
        raise UserError(f"{folder} holds pickled Python objects: pass trust=True if it is yours")
    content = read_checkpoint(Path(folder) / WEIGHTS)
    kept = torch.load(Path(folder) / _batch_file(rank), map_location=device, weights_only=False)
    config, trusted = embedded_config(content), tuple(trusted_modules)
    scope = embedded_scope(config, trusted_modules=trusted)
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(embedded_model(config, trusted_modules=trusted))
    model.load_state_dict(content["state_dict"])
    model.to(device).train()
    restore_random_state(kept["random_state"])
    with _precision(config):
        data = model.data_preprocessor(kept["batch"], training=True)
        losses = model(**data, mode="loss")
    return {name: float(value.detach()) for name, value in model.parse_losses(losses)[1].items()}


def _batch_file(rank: int) -> str:
    return f"batch_{rank}.pth"


def _flat(samples: Any) -> Iterator[Any]:
    """The data samples of a list, of lists of them, or of a dict of lists."""
    if isinstance(samples, Mapping):
        samples = list(samples.values())
    for one in samples:
        if isinstance(one, Sequence):
            yield from _flat(one)
        else:
            yield one


def _precision(config: Config) -> Any:
    wrapper = config.get("optim_wrapper") or {}
    if not str(wrapper.get("type")).endswith("AmpOptimWrapper"):
        return nullcontext()
    dtype = wrapper.get("dtype")
    return autocast(dtype=getattr(torch, dtype) if isinstance(dtype, str) else dtype)
