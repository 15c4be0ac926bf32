"""The one door through which weights come into a model."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from vitdet.backbones.backbone import Backbone
from vitdet.checkpoints.class_rows import NO_OBJECT_LAST, ClassRows, carry_rows, entries_of_heads
from vitdet.checkpoints.families import FAMILIES, family_of, has_family
from vitdet.checkpoints.files import read_checkpoint
from vitdet.checkpoints.identify import identify
from vitdet.checkpoints.layout import Converted, Family, StateDict
from vitdet.checkpoints.report import LoadReport, first_names
from vitdet.errors import UserError

WRAPPERS = ("state_dict", "model")  # keys under which trainers keep the weights
KEY_PREFIXES = ("module.", "_orig_mod.")  # of models saved in a DDP or torch.compile wrapper


class ClassNames(NamedTuple):
    """Names of the checkpoint's and the model's classes, and whether some may be new."""

    theirs: Sequence[str] | None
    ours: Sequence[str] | None
    may_be_new: bool


def load_checkpoint(
    model: nn.Module,
    path_or_state_dict: str | Path | Mapping[str, Any],
    *,
    prefix: str | None = None,
    new_classes: bool = False,
    classes: Sequence[str] | None = None,
    map_location: Any = "cpu",
    source: str | None = None,
) -> LoadReport:
    """Load a checkpoint in any published layout, completely or not at all.

    A model may be one of ours or contain some: a detector of mmdet around our backbone takes
    checkpoints whose backbone part is in any layout, the other keys as they are. Into a backbone
    alone, the part under `backbone.` of a whole model's checkpoint is loaded. An `ImageClassifier`
    takes published classifiers, whose backbone and head share one name space, and its own files.

    Args:
        model: receives the weights.
        path_or_state_dict: file, URL, or what such a file holds.
        prefix: load only what stands under it, e.g. "backbone".
        new_classes: leave the layers whose number of classes differs as they are, to fine-tune,
            and parts that the file's smaller model lacks, such as DETR's mask head.
        classes: names of the model's classes. Models that predict sets or classes of pixels then
            get the rows of classes that the checkpoint has too, wherever they stand in it; with
            `new_classes` the others stay fresh.
        map_location: as in `torch.load`.
        source: what messages call a checkpoint that is not given as a path.

    Returns:
        What became of each entry.

    Raises:
        UserError: the result would not be the published model: parameters are missing (but for
            output norms, which classification files lack), entries have no place in the model, or
            shapes differ that are not documented to be resized. The model is then unchanged.
    """
    if isinstance(path_or_state_dict, Mapping):
        source, checkpoint = source or "state dict", path_or_state_dict
    else:
        source = str(path_or_state_dict)
        checkpoint = read_checkpoint(path_or_state_dict, map_location=map_location)
    if is_model_wrapper(model):
        model = model.module

    report = LoadReport(str(source), type(model).__name__)
    state = model_weights(checkpoint, report.source)
    names = ClassNames(_class_names(checkpoint), classes, new_classes)
    accepted = _fill_in(report, model, state, prefix, names)
    model.load_state_dict(accepted, strict=False)
    return report


def try_load(
    model: nn.Module, state: StateDict, *, source: str, new_classes: bool = True
) -> tuple[LoadReport, str | None]:
    """What `load_checkpoint` would do with `state`, and why it would refuse, if it would.

    The model is left as it is, and may be on the meta device.
    """
    report = LoadReport(source, type(model).__name__)
    try:
        _fill_in(report, model, state, None, ClassNames(None, None, new_classes))
    except UserError as error:
        return report, str(error)
    return report, None


def _class_names(checkpoint: Mapping[str, Any]) -> Sequence[str] | None:
    """Names of a checkpoint's classes, where mmengine, or mmdet before it, leaves them."""
    meta = checkpoint.get("meta") or {}
    for holder in (meta.get("dataset_meta") or {}, meta):
        names = holder.get("classes") or holder.get("CLASSES")
        if names:
            return names
    return None


def _fill_in(
    report: LoadReport,
    model: nn.Module,
    state: StateDict,
    prefix: str | None,
    names: ClassNames,
) -> dict[str, Tensor]:
    """Complete the report and return what goes into the model. Raises UserError, see above."""
    state = _part_under_prefix(state, prefix, model, report)
    state, optional = _convert_our_modules(model, state, names, report)
    _carry_classes(state, entries_of_heads(state), model.state_dict(), names, report)
    accepted = _match_shapes(model, state, report, names.may_be_new)
    parameters = {name for name, _ in model.named_parameters()}
    parameters |= {name for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    report.refuse(
        missing=[key for key in report.missing if key in parameters and key not in optional],
        has_other_classes=bool(report.mismatched)
        and all(_differ_in_classes(model, key, *s) for key, s in report.mismatched.items()),
    )
    return accepted


def model_weights(checkpoint: Mapping[str, Any], source: str) -> StateDict:
    """The tensors of a checkpoint without what trainers, DDP and torch.compile wrap around them.

    Raises:
        UserError: there are none.
    """
    for wrapper in WRAPPERS:
        if isinstance(checkpoint.get(wrapper), Mapping):
            checkpoint = checkpoint[wrapper]
    state = {key: value for key, value in checkpoint.items() if isinstance(value, Tensor)}
    if not state:
        keys = first_names([str(key) for key in checkpoint])
        raise UserError(f"{source} holds no weights, only {keys}; give a model's checkpoint")
    for prefix in KEY_PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _part_under_prefix(
    state: StateDict, prefix: str | None, model: nn.Module, report: LoadReport
) -> StateDict:
    if prefix is None and has_family(model) and isinstance(model, Backbone):
        prefix = "backbone." if any(key.startswith("backbone.") for key in state) else None
    if not prefix:
        return state
    prefix = prefix.rstrip(".") + "."
    part = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
    if not part:
        tops = sorted({key.split(".")[0] for key in state})
        raise UserError(
            f"{report.source}: nothing stands under prefix {prefix!r}; there is {first_names(tops)}"
        )
    report.ignored += [key for key in state if not key.startswith(prefix)]
    return part


def _convert_our_modules(
    model: nn.Module, state: StateDict, names: ClassNames, report: LoadReport
) -> tuple[StateDict, set[str]]:
    """Bring the parts that belong to modules of ours into our layout and the modules' sizes.

    Returns:
        The whole state, and the names of model entries that it may lack.
    """
    optional = set()
    for name, module in _our_modules(model):
        prefix = f"{name}." if name else ""
        part = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
        family = family_of(module)
        if part:
            converted = _convert(part, family, name, report)
            state = {key: v for key, v in state.items() if not key.startswith(prefix)}
        elif any(layout.recognises(state) for layout in family.layouts):
            converted = _convert(state, family, name, report)
            state = _heads_of_classifier(model, converted)
            if not state:
                raise UserError(
                    f"{report.source} holds weights of the {name} only, not of {report.model}; "
                    f"give it as the {name}'s init_cfg=dict(type='Pretrained', checkpoint=...)"
                )
        else:
            continue  # everything of the module will be missing
        target = module.state_dict()
        _drop_spare(converted, family, target)
        resized = _resize(converted.state, family, target)
        entries = dict.fromkeys(family.class_entries, NO_OBJECT_LAST)
        published = family.published_classes
        _carry_classes(converted.state, entries, target, names, report, published=published)
        state |= {prefix + key: value for key, value in converted.state.items()}
        report.ignored += [prefix + key for key in converted.ignored]
        report.resized += [prefix + key for key in resized]
        report.fresh += [prefix + key for key in _added(converted.state, family, target, names)]
        optional |= {prefix + key for key in target if family.optional(converted.state, key)}
    return state, optional


def _heads_of_classifier(model: nn.Module, converted: Converted) -> dict[str, Tensor]:
    """Take the heads out of a published classifier, where they stand beside the backbone's parts.

    Nothing is taken for other models: for them these are spare.
    """
    heads = getattr(model, "classifier_heads", ())
    keys = [key for key in converted.state if key.split(".")[0] in heads]
    return {key: converted.state.pop(key) for key in keys}


def _our_modules(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The modules that have layouts, by name; a detector before the backbone in it."""
    return [(name, module) for name, module in model.named_modules() if has_family(module)]


def _convert(part: StateDict, family: Family, name: str, report: LoadReport) -> Converted:
    for layout in family.layouts:
        if layout.recognises(part):
            if not any(name.startswith(f"{outer}." if outer else "") for outer in report.layouts):
                report.layouts[name] = layout.name
            return layout.convert(part)
    other = identify(part)
    if other is not None:
        raise UserError(
            f"{report.source} is {other}, the {name or 'model'} is a {_class_name(family)}; give "
            f"one of a {_class_name(family)}, or build a {other.cls.__name__}"
        )
    known = ", ".join(layout.name for layout in family.layouts)
    raise UserError(
        f"{report.source} is no checkpoint for {name or report.model}: its keys "
        f"({first_names(list(part))}) are of none of the layouts {known}"
    )


def _class_name(family: Family) -> str:
    names = (cls.__name__ for cls, known in FAMILIES.items() if known is family)
    return next(names, "TimmBackbone")


def _drop_spare(converted: Converted, family: Family, target: StateDict) -> None:
    spare = [key for key in converted.state if key not in target and re.match(family.spare, key)]
    for key in spare:
        del converted.state[key]
    converted.ignored += spare


def _added(state: StateDict, family: Family, target: StateDict, names: ClassNames) -> list[str]:
    """Entries of a part that the checkpoint's smaller model lacks, if training may add it."""
    if not names.may_be_new or any(re.match(family.addable, key) for key in state):
        return []
    return [key for key in target if re.match(family.addable, key)]


def _carry_classes(
    state: dict[str, Tensor],
    entries: Mapping[str, ClassRows],
    target: StateDict,
    names: ClassNames,
    report: LoadReport,
    *,
    published: Callable[[int], Sequence[str | None] | None] = lambda num_rows: None,
) -> None:
    """Bring rows of classes, in place, into the order of the model's classes, if these are known.

    Without `may_be_new` this is done only where the checkpoint has all of them. `published` names
    classes that a checkpoint does not.
    """
    entries = {key: rows for key, rows in entries.items() if key in state and key in target}
    if names.ours is None or not entries:
        return
    num_rows = {len(state[key]) - rows.num_others for key, rows in entries.items()}
    theirs = names.theirs or (published(num_rows.pop()) if len(num_rows) == 1 else None) or []
    fresh = [name for name in names.ours if name not in theirs]
    is_allowed = names.may_be_new or not fresh
    entries = {
        key: rows
        for key, rows in entries.items()
        if rows.num_anchors(len(state[key]), len(theirs)) > 0
        and rows.num_anchors(len(state[key]), len(theirs))
        == rows.num_anchors(len(target[key]), len(names.ours))
    }
    if not entries or list(theirs) == list(names.ours) or not is_allowed:
        return
    for key, rows in entries.items():
        state[key] = carry_rows(state[key], target[key], list(theirs), names.ours, rows=rows)
    report.carried_classes += [name for name in names.ours if name in theirs]
    report.fresh_classes += fresh


def _resize(state: dict[str, Tensor], family: Family, target: StateDict) -> list[str]:
    """Interpolate, in place, the entries whose shape may differ; return their names."""
    resized = []
    for key, tensor in state.items():
        resizer = family.resizers.get(key) or family.resizers.get(key.rpartition(".")[2])
        if resizer is None or key not in target or tensor.shape == target[key].shape:
            continue
        try:
            state[key] = resizer(tensor, tuple(target[key].shape))
        except ValueError:
            continue  # reported as of another shape
        if tensor.ndim == state[key].ndim:  # else it was only laid out
            resized.append(key)
    return resized


def _match_shapes(
    model: nn.Module, state: StateDict, report: LoadReport, new_classes: bool
) -> dict[str, Tensor]:
    """Sort every entry into the report and return those that go into the model."""
    target = model.state_dict()
    report.missing += [key for key in target if key not in state and key not in report.fresh]
    report.unexpected += [key for key in state if key not in target]
    accepted = {}
    for key in (key for key in target if key in state):
        theirs, ours = tuple(state[key].shape), tuple(target[key].shape)
        if theirs == ours:
            accepted[key] = state[key]
        elif new_classes and _differ_in_classes(model, key, theirs, ours):
            report.fresh.append(key)
        else:
            report.mismatched[key] = (theirs, ours)
    report.loaded += accepted
    return accepted


def _differ_in_classes(
    model: nn.Module, key: str, theirs: tuple[int, ...], ours: tuple[int, ...]
) -> bool:
    """Whether two shapes of an entry may differ because the numbers of classes do."""
    names = key.split(".")
    owners = (".".join(names[:depth]) for depth in range(len(names)))
    if any(isinstance(model.get_submodule(owner), Backbone) for owner in owners):
        return False
    return len(theirs) == len(ours) and theirs[1:] == ours[1:]
