"""Point a config at data, check that the data is there and fits, and take the classes from it.

One file for each kind of data says how: `config_coco`, `config_panoptic`, `config_semantic` and
`config_image_folder`. Which one it is follows from the config's data sets.
"""

from pathlib import Path

from mmengine.config import Config

from vitdet.engine.config_coco import complete_coco, use_coco_folder
from vitdet.engine.config_image_folder import (
    complete_image_folder,
    tells_classes,
    use_image_folder,
)
from vitdet.engine.config_panoptic import complete_panoptic, is_panoptic, use_panoptic_folder
from vitdet.engine.config_parts import parts_of
from vitdet.engine.config_semantic import complete_semantic, is_semantic, use_semantic_folder
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError


def use_folder(config: Config, folder: str | Path) -> None:
    """Point every loader and evaluator at a folder, in place.

    It is of COCO's format, its panoptic one where the config's data are; for a segmentor it holds
    images and label files, for a classifier a folder of images for each class.

    Raises:
        UserError: no such files or folders are found in `folder`.
    """
    parts, scope = parts_of(config), config["default_scope"]
    if tells_classes(parts, scope):
        use_image_folder(parts, folder)
    elif is_semantic(parts, scope):
        use_semantic_folder(config, parts, folder)
    elif is_panoptic(parts, scope):
        use_panoptic_folder(parts, folder)
    else:
        use_coco_folder(config, parts, folder)


def complete_data(config: Config, *, for_test: bool = False) -> list[str]:
    """Generate data that can be, check all of it, set class names and evaluators; in place.

    `for_test` leaves out COCO files that nothing is tested on.

    Returns the class names: those the config states, or else those of the training data.

    Raises:
        UserError: annotations or images are missing or broken, or classes do not fit.
    """
    parts, scope = parts_of(config), config["default_scope"]
    if not parts:
        raise UserError("the config has no train_dataloader, val_dataloader or test_dataloader")
    for _, node, _ in parts:
        prepare = getattr(class_of(node, scope), "prepare", None)
        if prepare is not None:
            prepare(node["data_root"])
    stated = [(node.get("metainfo") or {}).get("classes") for _, node, _ in parts]
    classes = next((list(names) for names in stated if names), None)
    if tells_classes(parts, scope):
        return complete_image_folder(parts, classes, scope)
    if is_semantic(parts, scope):
        return complete_semantic(config, parts, classes)
    if is_panoptic(parts, scope):
        return complete_panoptic(parts, classes)
    return complete_coco(parts, classes, for_test=for_test)
