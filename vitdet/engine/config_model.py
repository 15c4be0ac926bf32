"""Fill in the numbers of a model config that follow from other parts of it."""

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from vitdet.backbones.backbone import Backbone
from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError

# Parts whose `num_classes`, if they have one, does not count the classes of the data: a region
# proposal network tells objects from background, and a backbone's is that of its pre-training.
_CLASS_AGNOSTIC = {"backbone", "neck", "rpn_head", "data_preprocessor", "train_cfg", "test_cfg"}


def set_num_classes(config: Config, num_classes: int, *, override: bool) -> None:
    """Give every head that counts classes the number of classes of the data, in place.

    `override` replaces numbers that the config states; without it a stated number that differs
    from the data is an error. Of heads that count things and stuff, things take up what is not
    stated to be stuff. Where a loss weighs each class and "no object", the weights follow.

    Raises:
        UserError: the config states another number of classes than the data has.
    """
    scope = config["default_scope"]
    for path, node in _nodes_with_num_classes(config["model"], "model", scope):
        cls = class_of(node, scope)
        parameters = parameters_of(cls)
        # mmseg's Mask2Former counts classes, though it stands on mmdet's, which counts both kinds.
        counts_classes = "num_classes" in inspect.signature(cls).parameters
        if "num_things_classes" in parameters and not counts_classes:
            _set_things_and_stuff(path, node, num_classes, override=override)
        else:
            _set_count(path, node, "num_classes", num_classes, override=override)
        # Mask2Former's heads read the weights by themselves and cannot do without.
        if "loss_dice" in parameters and "loss_cls" in parameters:
            _set_class_weights(path, node, num_classes)


def _set_count(path: str, node: Any, name: str, count: int, *, override: bool) -> None:
    stated = node.get(name)
    if stated is None or override:
        node[name] = count
    elif stated != count:
        raise UserError(
            f"{path}.{name} is {stated}, but the training data has {count} classes; "
            "leave it out of the config and it follows from the data"
        )


def _set_things_and_stuff(path: str, node: Any, num_classes: int, *, override: bool) -> None:
    num_stuff = node.get("num_stuff_classes") or 0
    num_stated = (node.get("num_things_classes") or 0) + num_stuff
    if override and num_stated != num_classes:
        num_stuff = 0
    node["num_stuff_classes"] = num_stuff
    _set_count(path, node, "num_things_classes", num_classes - num_stuff, override=override)


def _set_class_weights(path: str, node: Any, num_classes: int) -> None:
    """1 for every class and 0.1 for "no object" (Mask2Former, sec. 4.1), or as the config states.

    A stated list of another length is taken over where it weighs all classes alike.
    """
    loss = node.get("loss_cls")
    if loss is None:
        return
    *weights, no_object = loss.get("class_weight") or (1.0, 0.1)
    if len(set(weights)) == 1:
        weights = weights[:1] * num_classes
    if len(weights) != num_classes:
        raise UserError(
            f"{path}.loss_cls.class_weight weighs {len(weights)} classes and no object, but the "
            f"training data has {num_classes} classes; give {num_classes + 1} numbers"
        )
    loss["class_weight"] = [*weights, no_object]


def _nodes_with_num_classes(node: Any, path: str, scope: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        if node.get("type") is not None:
            parameters = parameters_of(class_of(node, scope) or dict)
            counts = not {"num_classes", "num_things_classes"}.isdisjoint(parameters)
            if counts and "kernel_generate_head" not in node:  # K-Net takes it from that part
                yield path, node
        for key in node:
            if key not in _CLASS_AGNOSTIC:
                yield from _nodes_with_num_classes(node[key], f"{path}.{key}", scope)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, item in enumerate(node):
            yield from _nodes_with_num_classes(item, f"{path}.{index}", scope)


def limit_results(config: Config, num_classes: int) -> None:
    """Let a model of queries give no more results than it has queries times classes, in place.

    mmdet takes the best of these, and fails where there are fewer than it is to take.
    """
    model = config["model"]
    num_queries = model.get("num_queries") or (model.get("panoptic_head") or {}).get("num_queries")
    test_cfg = model.get("test_cfg") or {}
    for name in ("max_per_img", "max_per_image"):
        if num_queries and test_cfg.get(name):
            test_cfg[name] = min(test_cfg[name], num_queries * num_classes)


def set_in_channels(config: Config) -> None:
    """Give the parts that the backbone feeds its channels, where the config leaves them open.

    That is the neck, or in a segmentor without one the decode and auxiliary heads, and in
    Mask2Former the panoptic head.
    """
    model, scope = config["model"], config["default_scope"]
    fed = [node for node in fed_by_backbone(model) if node.get("in_channels") is None]
    fed = [node for node in fed if "in_channels" in parameters_of(class_of(node, scope))]
    if not fed:
        return
    _skip_unread_maps(model["backbone"], fed[0], scope)
    channels = list(backbone_maps(model["backbone"], scope).channels)
    for node in fed:
        chosen = node.get("in_index")  # of segmentation heads
        if chosen is None:
            node["in_channels"] = channels
        elif isinstance(chosen, Sequence):
            node["in_channels"] = [channels[index] for index in chosen]
        else:
            node["in_channels"] = channels[chosen]


def _skip_unread_maps(backbone: Any, neck: Any, scope: str) -> None:
    """Let our backbone return only what the neck reads from its `start_level` on.

    The output norm or the enlarging of any other map would be a parameter without a gradient, on
    which distributed training stops.
    """
    first = neck.get("start_level") or 0
    maps = backbone_maps(backbone, scope)
    if first == 0 or maps.indices is None:
        return
    neck["start_level"] = 0
    backbone["out_indices"] = maps.indices[first:]
    parameters = parameters_of(class_of(backbone, scope))
    if "out_strides" in parameters and parameters["out_indices"].default is None:
        backbone["out_strides"] = maps.strides[first:]  # of the returned maps, not of all stages


def fed_by_backbone(model: Mapping[str, Any]) -> list[Any]:
    """Nodes of a model config that take the backbone's maps."""
    neck = model.get("neck")
    if neck is not None:  # mmdet chains necks (FPN, then a dyhead): the first is fed
        return [neck[0] if isinstance(neck, Sequence) else neck]
    heads = [model.get(name) for name in ("decode_head", "auxiliary_head", "panoptic_head")]
    nodes = [head if isinstance(head, Sequence) else [head] for head in heads if head is not None]
    return [node for group in nodes for node in group]


class BackboneMaps(NamedTuple):
    """Channels and strides of the maps that a backbone returns; of ours also their places in it."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    indices: tuple[int, ...] | None = None


def backbone_maps(backbone: Mapping[str, Any], scope: str) -> BackboneMaps:
    """What a backbone config returns, found without allocating its weights.

    Ours carry it as `out_channels` and `strides`; any other backbone is run once on the meta
    device.
    """
    node = copy.deepcopy(backbone)
    for key in ("init_cfg", "pretrained"):
        node.pop(key, None)
    with torch.device("meta"), DefaultScope.overwrite_default_scope(scope):
        module = MODELS.build(node)
        if isinstance(module, Backbone):
            return BackboneMaps(
                tuple(module.out_channels),
                tuple(module.strides),
                getattr(module, "out_indices", None),
            )
        module.eval()  # some of mmdet's return nothing here
        side = 224
        with torch.no_grad():
            maps = module(torch.empty(1, 3, side, side))
    return BackboneMaps(
        tuple(one.shape[1] for one in maps), tuple(round(side / one.shape[2]) for one in maps)
    )
