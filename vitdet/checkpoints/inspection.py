"""Say what a checkpoint file is: `vitdet inspect FILE`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from vitdet.backbones.backbone import Backbone
from vitdet.checkpoints.files import read_checkpoint
from vitdet.checkpoints.identify import Identity, identify, nearest_size
from vitdet.checkpoints.layout import StateDict
from vitdet.checkpoints.loading import model_weights
from vitdet.checkpoints.report import first_names

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
_HEADS = ("roi_head", "bbox_head", "mask_head", "decode_head", "rpn_head", "query_head")


@dataclass
class CheckpointSummary:
    """What a checkpoint file holds.

    Attributes:
        source: the file.
        state: its weights, wrappers taken off.
        identity: the model of ours in it, or None if no layout known here fits.
        arch: the published size that fits best, or None.
        num_differing: entries that do not fit that size.
        kind: "detector", "segmentor", "classifier" or "backbone" in words.
        num_parameters: trained numbers.
        training: what the file tells about its training: "epoch" and so on.
        class_names: classes that the model knows, or none.
    """

    source: str
    state: StateDict
    identity: Identity | None
    arch: str | None
    num_differing: int
    kind: str
    num_parameters: int
    training: dict[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()

    @property
    def is_part(self) -> bool:
        """Whether it is a backbone, perhaps with a classifier, and no whole detector."""
        return not self.kind.startswith(("a detector", "a segmentor"))

    def __str__(self) -> str:
        lines = [("model", self._model()), ("holds", self._holds())]
        if self.training:
            told = ", ".join(f"{name} {value}" for name, value in self.training.items())
            lines.append(("training", told))
        if self.class_names:
            names = first_names(list(self.class_names), 6)
            lines.append(("classes", f"{len(self.class_names)}: {names}"))
        if self.identity is not None:
            lines.append(("fits", self._fits()))
        return "\n".join([self.source, *(f"  {name:<9}{text}" for name, text in lines)])

    def _model(self) -> str:
        if self.identity is None:
            tops = sorted({key.partition(".")[0] for key in self.state})
            return f"unknown; its keys begin with {first_names(tops, 8)}"
        if self.arch is None:
            size = "no published size"
        elif self.num_differing:
            size = f"nearest size {self.arch!r}, from which {self.num_differing} entries differ"
        else:
            size = f"size {self.arch!r}"
        return f"{self.identity.cls.__name__}, {size}, {self.identity.layout.name} layout"

    def _holds(self) -> str:
        return f"{self.kind}, {self.num_parameters:,} parameters in {len(self.state)} entries"

    def _fits(self) -> str:
        call = f"{self.identity.cls.__name__}({self.arch!r})" if self.arch else "the same arguments"
        if not issubclass(self.identity.cls, Backbone):
            return f"a {self.identity.cls.__name__} of {self.arch or 'the same'} size, as load_from"
        if not self.is_part:
            return f"the config it was trained with, or {call} as init_cfg of a backbone"
        return f"{call} as model.backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"


def inspect_checkpoint(path: str | Path) -> CheckpointSummary:
    """Look into a checkpoint file.

    Raises:
        UserError: it is missing, unsafe, broken, or holds no weights.
    """
    checkpoint = read_checkpoint(path)
    state = model_weights(checkpoint, str(path))
    identity = identify(state)
    arch, num_differing = None, 0
    classifier = None
    computed: set[str] = set()  # entries that are no parameters
    if identity is not None:
        prefix = identity.prefix
        part = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
        arch, num_differing = nearest_size(identity, part)
        converted = identity.layout.convert(part)
        computed = {prefix + key for key in converted.ignored}
        # A published classifier keeps its head beside its blocks, ours beside the whole backbone.
        classifier = converted.state.get("head.weight", state.get("head.weight"))
    return CheckpointSummary(
        source=str(path),
        state=state,
        identity=identity,
        arch=arch,
        num_differing=num_differing,
        kind=_kind(state, identity, classifier),
        num_parameters=sum(
            tensor.numel()
            for key, tensor in state.items()
            if key not in computed and tensor.is_floating_point() and not key.endswith(_BUFFERS)
        ),
        training=_training(checkpoint),
        class_names=_class_names(checkpoint),
    )


def _kind(state: StateDict, identity: Identity | None, classifier: Tensor | None) -> str:
    tops = {key.partition(".")[0] for key in state}
    heads = [head for head in _HEADS if head in tops]
    if "decode_head" in heads:
        return "a segmentor (decode_head)"
    if heads:
        has_masks = "mask_head" in heads or any(".mask_head." in key for key in state)
        return f"a detector{' with masks' if has_masks else ''} ({', '.join(heads)})"
    if classifier is not None:
        return f"a classifier of {len(classifier)} classes"
    if identity is None:
        return "weights"
    return "a backbone" if issubclass(identity.cls, Backbone) else "a detector"


def _training(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that trainers leave beside the weights, those that are plain."""
    meta = checkpoint.get("meta")
    sources = [checkpoint, meta if isinstance(meta, Mapping) else {}]
    names = ("epoch", "iter", "best_metric", "best_score", "max_accuracy", "mmengine_version")
    facts = {
        name: source[name]
        for source in sources
        for name in names
        if isinstance(source.get(name), int | float | str)
    }
    score = facts.get("best_score")
    if isinstance(score, float):
        facts["best_score"] = round(score, 4)
    if isinstance(sources[1].get("cfg"), str):
        facts["config"] = "included"
    if any(key in checkpoint for key in ("optimizer", "optimizer_state_dict")):
        facts["optimizer"] = "included"
    return facts


def _class_names(checkpoint: Mapping[str, Any]) -> tuple[str, ...]:
    meta = checkpoint.get("meta")
    described = meta.get("dataset_meta") if isinstance(meta, Mapping) else None
    for holder in (described, meta):
        for key in ("classes", "CLASSES"):
            names = holder.get(key) if isinstance(holder, Mapping) else None
            if isinstance(names, list | tuple):
                return tuple(map(str, names))
    return ()
