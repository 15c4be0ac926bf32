"""Train a detector with masks on data that have boxes only."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from vitdet.engine.config_parts import parts_of
from vitdet.errors import UserError

_MASK_PARTS = ("mask_head", "mask_roi_extractor", "mask_iou_head")


def turn_masks_off(config: Config) -> None:
    """Take the mask head out of a detector's config, in place, and say so.

    Raises:
        UserError: the detector is nothing without masks.
    """
    roi_head = config["model"].get("roi_head") or {}
    parts = [name for name in _MASK_PARTS if roi_head.get(name) is not None]
    pipelines = [node.get("pipeline") for _, node, _ in parts_of(config)]
    steps = [step for step in _dicts(pipelines) if step.get("with_mask")]
    if not parts and not steps:
        return
    if not parts:
        raise UserError(
            f"{config.filename} learns masks, and the annotations hold boxes only: take a config "
            "that finds boxes, such as swin_retinanet_coco"
        )
    for name in parts:
        del roi_head[name]
    for step in steps:
        step["with_mask"] = False
    for _, _, evaluators in parts_of(config):
        for evaluator in evaluators:
            evaluator["metric"] = "bbox"
    print_log(
        "masks: the annotations hold boxes only, so the mask head is left out and box AP counts",
        logger="current",
    )


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for one in node:
            yield from _dicts(one)
