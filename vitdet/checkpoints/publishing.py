"""A trained model as files to hand on: weights, what belongs to them, and a page about them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config
from torch import Tensor

import vitdet
from vitdet.checkpoints.embedded_config import embedded_config
from vitdet.checkpoints.files import read_checkpoint, write_checkpoint
from vitdet.compat.safetensors_format import write_safetensors
from vitdet.errors import UserError

Format = Literal["safetensors", "pth"]
_OF_THE_RUN = ("work_dir", "load_from", "resume", "launcher", "compile")
_OF_ANY_RUN = {"best", "last"}  # file names that say nothing; the folder's does


_CARD = """# {name}

| | |
|---|---|
{table}

## Use

```python
from vitdet import Predictor

predictor = Predictor("{file}")
predictor("photo.jpg")[0].draw().save("drawn.png")
```

## Data, licence, limits

To be written by who publishes it: what it was trained on, under which terms it may be used, and
where it fails.
"""


def publish(
    checkpoint: str | Path, folder: str | Path = ".", *, file_format: Format = "safetensors"
) -> Path:
    """Write NAME-HASH.safetensors (or .pth), NAME-HASH.json and NAME-HASH.md; return the first.

    The weights are those that the checkpoint is evaluated with; the optimizer, logs and random
    states stay behind. The file is all that `Predictor`, `test` and a training that starts from it
    need; the json holds the same config, classes and scores for others. HASH is the beginning of
    the SHA-256 of the weights' file.

    Raises:
        UserError: the checkpoint is unreadable, or has no config or class names in it; there is no
            room, or no permission, to write.
    """
    path = Path(checkpoint)
    content = read_checkpoint(path)
    config = embedded_config(content)
    state, meta = content.get("state_dict"), content["meta"]
    if not isinstance(state, dict) or not (meta.get("dataset_meta") or {}).get("classes"):
        raise UserError(
            f"{path}: has no weights with class names; publish what a training has written"
        )
    state = {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}
    for key in _OF_THE_RUN:
        config.pop(key, None)
    facts = _facts(config, meta)
    name = path.parent.resolve().name if path.stem in _OF_ANY_RUN else path.stem
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = folder / f"{name}.writing.{file_format}"
        if file_format == "safetensors":
            write_safetensors(state, written, meta=facts)
        else:
            write_checkpoint({"state_dict": state, "meta": facts}, written)
        digest = hashlib.sha256(written.read_bytes()).hexdigest()
        target = folder / f"{name}-{digest[:8]}.{file_format}"
        written.replace(target)
        target.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
        card = _card(target.name, state, config, facts, digest)
        target.with_suffix(".md").write_text(card)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror})") from error
    return target


def _facts(config: Config, meta: Mapping[str, Any]) -> dict[str, Any]:
    """What of the checkpoint's meta belongs to the model, as json can hold it."""
    facts = {
        "cfg": config.pretty_text,
        "dataset_meta": meta["dataset_meta"],
        "vitdet_version": vitdet.__version__,
    }
    facts |= {
        key: meta[key] for key in ("best_metric", "best_score", "epoch", "iter") if key in meta
    }
    return json.loads(json.dumps(facts, default=str))


def _card(
    file: str,
    state: Mapping[str, Tensor],
    config: Config,
    facts: Mapping[str, Any],
    digest: str,
) -> str:
    """The model card (Mitchell et al. 2019): what it is, how it was trained, what it scores."""
    classes = facts["dataset_meta"]["classes"]
    weights = sum(tensor.numel() for tensor in state.values() if tensor.is_floating_point())
    model = config["model"]
    backbone = model.get("backbone") or {}
    arch = f" {backbone['arch']}" if isinstance(backbone.get("arch"), str) else ""
    trained = [
        f"{facts[key]} {word}"
        for key, word in (("epoch", "epochs"), ("iter", "steps"))
        if facts.get(key)
    ]
    rows = [
        ("model", _short(model)),
        ("backbone", f"{_short(backbone)}{arch}" if backbone else "part of the model"),
        ("parameters", f"{weights / 1e6:.1f} million"),
        (
            "classes",
            f"{len(classes)}: {', '.join(classes[:20])}{' ...' if len(classes) > 20 else ''}",
        ),
        ("trained for", ", ".join(trained) or "not known"),
        ("optimizer", _optimizer(config)),
        ("score", _score(facts)),
        ("SHA-256", digest),
    ]
    table = "\n".join(f"| {what} | {value} |" for what, value in rows)
    return _CARD.format(name=Path(file).stem, file=file, table=table)


def _short(node: Mapping[str, Any]) -> str:
    """The name of a config node's class, without its package."""
    return str(node.get("type")).removesuffix("'>").rpartition(".")[2]


def _optimizer(config: Config) -> str:
    wrapper = config.get("optim_wrapper") or {}
    optimizer = wrapper.get("optimizer") or {}
    if not optimizer:
        return "not known"
    batch = (config.get("train_dataloader") or {}).get("batch_size")
    images = f", {batch} images a step and process" if batch else ""
    return f"{_short(optimizer)}, learning rate {optimizer.get('lr')}{images}"


def _score(facts: Mapping[str, Any]) -> str:
    if facts.get("best_score") is None:
        return "not evaluated"
    return f"{facts.get('best_metric', 'score')} {facts['best_score']:.4g}, on its validation data"
