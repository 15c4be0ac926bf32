"""Fit a recipe that was made for COCO or ADE20K to a data set of another size.

Twelve epochs of COCO are 90,000 steps; twelve epochs of 300 photos hardly outlast the warm-up, and
the learning rate belongs to sixteen images a step.
"""

import math
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from vitdet.datasets.coco_files import read_coco
from vitdet.engine.config_coco import annotation_file
from vitdet.engine.config_file import shipped_configs
from vitdet.engine.config_image_size import fit_image_size
from vitdet.engine.config_parts import datasets_of

# What a detector sees in a fine-tuning at least, and how often it looks at one photo at most: 300
# photos are trained on for 80 epochs.
_MIN_IMAGES_SEEN = 24_000
_MAX_EPOCHS = 100
_MIN_STEPS = 4_000
_NUM_EVALUATIONS = 20
_WARM_UP_SHARE = 0.1

# Images of the data sets that recipes are made for, by what names their training data.
_PUBLISHED_SIZES = {
    "annotations/instances_train2017.json": 118_287,
    "annotations/panoptic_train2017.json": 118_287,
    "images/training": 20_210,  # ADE20K
}


def images_made_for(config: Config) -> int | None:
    """How many images the config's recipe is made for; None where it belongs to its own data.

    None too for a config that does not ship with vitdet: what its author wrote is meant.
    """
    if Path(config.filename).resolve().parent != shipped_configs().resolve():
        return None
    for part, node in datasets_of(config):
        if part == "train":
            files = (node.get("ann_file"), (node.get("data_prefix") or {}).get("img_path"))
            return next(
                (_PUBLISHED_SIZES[name] for name in files if name in _PUBLISHED_SIZES), None
            )
    return None


def fit_recipe(config: Config, *, made_for: int) -> None:
    """Fit schedule, warm-up, learning rate and image sizes to the training data, in place; say why.

    It is done before `--cfg-options` are applied, which have the last word. Nothing is changed
    where there are as many images as the recipe was made for.

    Raises:
        UserError: the training data's annotation file is not there or is not COCO's.
    """
    node = next(node for part, node in datasets_of(config) if part == "train")
    if node.get("ann_file"):
        images = read_coco(annotation_file(node))["images"]
        num_images = len(images)
    else:
        folder = Path(node["data_root"]) / node["data_prefix"]["img_path"]
        num_images = sum(len(files) for _, _, files in os.walk(folder))
        images = []  # label maps have their crops, whatever the size of a photo
    if num_images >= made_for:
        return
    fit_image_size(config, [(image["width"], image["height"]) for image in images])
    train_cfg, loader = config["train_cfg"], config["train_dataloader"]
    if "max_epochs" in train_cfg:
        key, unit = "max_epochs", "epochs"
        epochs = min(math.ceil(_MIN_IMAGES_SEEN / num_images), _MAX_EPOCHS)
        length = max(train_cfg[key], epochs)
        num_steps = length * math.ceil(num_images / loader.get("batch_size", 1))
    else:
        key, unit = "max_iters", "steps"
        length = round(train_cfg[key] * num_images / made_for / 100) * 100
        num_steps = length = min(train_cfg[key], max(length, _MIN_STEPS))
    stated = train_cfg[key]
    interval = max(length // _NUM_EVALUATIONS, 1)
    train_cfg.update({key: length, "val_interval": interval})
    print_log(
        f"schedule: {length:,} {unit} for {num_images:,} images, evaluated every {interval:,}; the "
        f"recipe's {stated:,} are for {made_for:,} images (train_cfg.{key})",
        logger="current",
    )
    schedulers = config.get("param_scheduler") or []
    for scheduler in schedulers:
        if scheduler.get("by_epoch", True) == (key == "max_epochs"):
            _stretch(scheduler, length / stated)
    for scheduler in schedulers:
        if _is_warm_up(scheduler):
            _shorten(scheduler, schedulers, max(1, int(_WARM_UP_SHARE * num_steps)))
    scaling = config.get("auto_scale_lr") or {}
    if "base_batch_size" in scaling:
        scaling["enable"] = True
        print_log(
            "learning rate: in proportion to the images of a step; the recipe's is for "
            f"{scaling['base_batch_size']} (auto_scale_lr.enable=False keeps it)",
            logger="current",
        )


def _stretch(scheduler: Any, factor: float) -> None:
    if _is_warm_up(scheduler):
        return
    for name in ("end", "T_max"):
        if name in scheduler:
            scheduler[name] = max(1, round(scheduler[name] * factor))
    if "milestones" in scheduler:
        scheduler["milestones"] = [round(factor * milestone) for milestone in scheduler.milestones]


def _is_warm_up(scheduler: Any) -> bool:
    return "start_factor" in scheduler and not scheduler.get("by_epoch", True)


def _shorten(warm_up: Any, schedulers: list[Any], num_steps: int) -> None:
    """End a warm-up after `num_steps`; what began after it goes on doing so."""
    stated = warm_up["end"]
    if num_steps >= stated:
        return
    warm_up["end"] = num_steps
    for scheduler in schedulers:
        if not scheduler.get("by_epoch", True) and scheduler.get("begin") == stated:
            scheduler["begin"] = num_steps
    print_log(
        f"warm-up: {num_steps:,} steps, a tenth of all, in place of {stated:,} "
        "(param_scheduler.0.end)",
        logger="current",
    )
