"""`load_config`: from a config file to one that is complete and known to fit its data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from vitdet.datasets.coco_files import annotations_kept
from vitdet.engine.config_backbone import swap_backbone
from vitdet.engine.config_crop import set_crop_size
from vitdet.engine.config_data import complete_data, use_folder
from vitdet.engine.config_file import read_config
from vitdet.engine.config_model import limit_results, set_in_channels, set_num_classes
from vitdet.engine.config_options import TOP_LEVEL_KEYS, apply_options
from vitdet.engine.config_panoptic import is_panoptic, set_num_thing_classes
from vitdet.engine.config_parts import parts_of
from vitdet.engine.config_recipe import fit_recipe, images_made_for


def load_config(
    path: str | Path,
    data: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    backbone: str | None = None,
    for_test: bool = False,
) -> Config:
    """Read a config and complete it: nothing in it has to be computed by hand.

    `path` is a file, or the name of a config that ships with vitdet. `data` points it at another
    COCO-format folder, or a classifier's at another folder of class folders; a recipe made for COCO
    or ADE20K is then fitted to the number and the size of the images. `options` are dotted
    overrides (`{"model.backbone.arch": "small"}`) and have the last word. `backbone` exchanges the
    backbone for one that `backbone_names.py` lists (`swin-small`, `pvtv2-b2`, `timm:resnet50`), as
    a key `backbone` in the config or the options does. Class names come from the data where the
    config leaves them open, every `num_classes` from the class names, the neck's `in_channels` from
    the backbone; data sets that can be generated are generated. `for_test` neither checks the COCO
    files that nothing is tested on nor asks for them, but takes class names from those to train on
    where these are there.

    Raises:
        UserError: in one line, whatever of this does not fit: the file, an option, the data.
    """
    with annotations_kept():
        return _completed(
            read_config(path), data, dict(options or {}), backbone=backbone, for_test=for_test
        )


def _completed(
    config: Config,
    data: str | Path | None,
    options: dict[str, Any],
    *,
    backbone: str | None,
    for_test: bool,
) -> Config:
    if "default_scope" not in config:
        config["default_scope"] = "mmengine"
    if data is not None:
        made_for = images_made_for(config)
        use_folder(config, data)
        if made_for is not None:
            fit_recipe(config, made_for=made_for)
    stated = options.pop("backbone", None) or config.get("backbone")
    name = backbone or stated
    if isinstance(name, str):  # a helper variable of that name may hold anything
        swap_backbone(config, name)
    apply_options(config, options)
    classes = complete_data(config, for_test=for_test)
    set_num_classes(config, len(classes), override=data is not None)
    if is_panoptic(parts_of(config), config["default_scope"]):
        set_num_thing_classes(config, parts_of(config), override=data is not None)
    limit_results(config, len(classes))
    set_in_channels(config)
    set_crop_size(config)
    for key in (
        set(config) - TOP_LEVEL_KEYS
    ):  # helper variables: they would go stale in a saved file
        del config._cfg_dict[key]
    return config


def load_model_config(
    path: str | Path, *, num_classes: int = 80, backbone: str | None = None
) -> Config:
    """Read a config and complete its model only; its data need not be there.

    `num_classes` counts where the config leaves the number to the data.
    """
    config = read_config(path)
    if "default_scope" not in config:
        config["default_scope"] = "mmengine"
    if backbone is not None:
        swap_backbone(config, backbone)
    set_num_classes(config, num_classes, override=True)
    set_in_channels(config)
    set_crop_size(config)
    return config
