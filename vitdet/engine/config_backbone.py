"""Exchange the backbone of a config: `--backbone NAME`, `backbone=NAME`."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from vitdet.engine.backbone_names import NamedBackbone, resolve_backbone, size_arguments
from vitdet.engine.config_model import backbone_maps, fed_by_backbone
from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError

# What a recipe says about any backbone; the rest belongs to the one that is taken out.
_GENERAL = ("drop_path_rate", "final_norm", "frozen_stages", "with_checkpoint")
_OWN = ("type", "arch", "init_cfg", "out_indices")  # of one size of one backbone
_PLAIN_NECK = "vitdet.SimpleFeaturePyramid"  # of one map, as plain transformers give


def swap_backbone(config: Config, name: str) -> None:
    """Put the backbone that `name` stands for in place of the config's, in place.

    It gives maps at the same strides where it can, and the neck is adapted where it must be. A
    config that started from pretrained weights starts from those published for the new backbone.

    Raises:
        UserError: the name is unknown, or this model cannot be fed by that backbone.
    """
    model, scope = config["model"], config.get("default_scope") or "mmengine"
    if not isinstance(model.get("backbone"), Mapping):
        raise UserError(f"backbone={name}: the config's model has no backbone to exchange")
    old, found = model["backbone"], resolve_backbone(name)
    new = ConfigDict(type=f"vitdet.{found.cls}", **found.arguments)
    parameters = parameters_of(class_of(new, scope))
    if class_of(old, scope) is class_of(new, scope) and set(found.arguments) == {"arch"}:
        # Another size of the same backbone.
        kept = [key for key in old if key not in (*_OWN, *size_arguments(found.cls))]
    else:
        kept = [key for key in _GENERAL if key in old and key in parameters]
    new.update({key: old[key] for key in kept})
    old_strides = backbone_maps(old, scope).strides
    _choose_maps(new, parameters, old_strides, scope, model.get("neck"))
    if old.get("frozen_stages", -1) > 0 and backbone_maps(new, scope).strides != old_strides:
        new.pop("frozen_stages", None)  # stages of a pyramid are not blocks of a plain transformer
    starts_pretrained = bool(
        old.get("init_cfg") or old.get("pretrained") or model.get("pretrained")
    )
    if starts_pretrained and found.cls == "TimmBackbone":
        new["pretrained"] = True
    elif starts_pretrained and found.weights:
        new["init_cfg"] = dict(type="Pretrained", checkpoint=found.weights)
    model["backbone"] = new
    model.pop("pretrained", None)  # mmdet's and mmseg's older place for init_cfg
    notes = [_weights_note(found, starts_pretrained), _adapt_neck(model, scope)]
    _reopen_channels(model)
    print_log(
        f"backbone {name}: {found.cls} in place of {_name_of(old, scope)}"
        + "".join(f"; {note}" for note in notes if note),
        logger="current",
    )


def _choose_maps(
    new: ConfigDict, parameters: Mapping[str, Any], wanted: tuple[int, ...], scope: str, neck: Any
) -> None:
    """Let `new` return maps of the wanted strides, if it can; else it keeps its own choice.

    A plain transformer has maps of one stride, taken at several depths (`out_indices` None: evenly
    spaced) and brought to others (`out_strides`).
    """
    own = backbone_maps(new, scope)
    is_plain = "out_strides" in parameters and parameters["out_indices"].default is None
    if _is_plain_neck(neck, scope):
        if is_plain:
            new["out_strides"] = None
    elif own.strides != wanted and own.indices is not None and set(wanted) <= set(own.strides):
        index_of = dict(zip(own.strides, own.indices, strict=True))
        new["out_indices"] = tuple(index_of[stride] for stride in wanted)
        if is_plain:
            new["out_strides"] = wanted


def _adapt_neck(model: ConfigDict, scope: str) -> str | None:
    """Exchange the neck if it takes another kind of maps; return what was done about it."""
    neck = model.get("neck")
    if not isinstance(neck, Mapping):
        return None
    strides = backbone_maps(model["backbone"], scope).strides
    name = _name_of(neck, scope)
    if _is_plain_neck(neck, scope) and len(strides) > 1:
        other = "mmdet.FPN"
    elif name == "FPN" and len(strides) == 1:
        if class_of({"type": _PLAIN_NECK}, scope) is None:
            raise UserError(
                f"backbone: FPN takes maps of several strides, {model['backbone']['type']} gives "
                f"one of stride {strides[0]}"
            )
        other = _PLAIN_NECK
    else:
        return None
    kept = {key: neck[key] for key in ("out_channels", "num_outs", "norm_cfg") if key in neck}
    if other == "mmdet.FPN":
        kept.pop("norm_cfg", None)  # a pyramid of its own kind is normalized by itself
    model["neck"] = ConfigDict(type=other, **kept)
    return f"the neck is {other.partition('.')[2]} in place of {name}"


def _is_plain_neck(neck: Any, scope: str) -> bool:
    return isinstance(neck, Mapping) and _name_of(neck, scope) == _PLAIN_NECK.partition(".")[2]


def _reopen_channels(model: ConfigDict) -> None:
    """Forget the numbers that follow from the backbone; `set_in_channels` fills them in."""
    for node in fed_by_backbone(model):
        node.pop("in_channels", None)


def _weights_note(found: NamedBackbone, starts_pretrained: bool) -> str:
    if not starts_pretrained:
        return "from scratch, as before" + (
            f" (ImageNet weights: {found.weights})" if found.weights else ""
        )
    if found.cls == "TimmBackbone":
        return "with timm's weights"
    if found.weights:
        return f"init_cfg is now {found.weights}"
    return "init_cfg dropped, it starts from scratch: set model.backbone.init_cfg to a file for it"


def _name_of(node: Mapping[str, Any], scope: str) -> str:
    cls = class_of(node, scope)
    return getattr(cls, "__name__", str(node.get("type")))
