"""Prepare a config for test-time augmentation: `test.py --tta`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from vitdet.engine.config_parts import datasets_of
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError

SCALES = (1.0, 0.8, 1.25)
_META_KEYS = (
    *("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction"),
)


def use_tta(config: Config, scales: Sequence[float] = SCALES) -> None:
    """Let the config's test data come in several views and its model merge what it finds, in place.

    The views are the test size times each of `scales`, straight and flipped left to right. A config
    that states a `tta_pipeline`, as mmdet's do, has that instead.

    Raises:
        UserError: the test pipeline has no place for views.
    """
    scope = config.get("default_scope") or "mmengine"
    node = dict(datasets_of(config)).get("test")
    if node is None:
        raise UserError("--tta: the config has no test_dataloader")
    own = config.get("tta_pipeline")
    node["pipeline"] = own or _views(node["pipeline"], scales, scope)
    config["model"] = ConfigDict(type="vitdet.tta.AugmentedDetector", module=config["model"])


def _views(pipeline: Sequence[Any], scales: Sequence[float], scope: str) -> list[ConfigDict]:
    names = [getattr(class_of(step, scope), "__name__", "") for step in pipeline]
    if "Resize" not in names or "PackDetInputs" not in names:
        raise UserError(
            "--tta: the test pipeline needs a Resize and a PackDetInputs to make views from, it "
            f"has {', '.join(names)}; or state a tta_pipeline in the config"
        )
    place = names.index("Resize")
    resize = pipeline[place]
    sizes = [_resized(resize, scale) for scale in scales]
    flips = [ConfigDict(type="mmdet.datasets.transforms.RandomFlip", prob=p) for p in (0.0, 1.0)]
    after = [
        ConfigDict(step, meta_keys=_META_KEYS) if name == "PackDetInputs" else step
        for name, step in zip(names[place + 1 :], pipeline[place + 1 :], strict=True)
        if name != "LoadAnnotations"  # evaluators read the annotation file
    ]
    views = ConfigDict(
        type="mmcv.transforms.TestTimeAug",
        transforms=[sizes, flips, *([step] for step in after)],
    )
    before = [
        step
        for name, step in zip(names[:place], pipeline[:place], strict=True)
        if name != "LoadAnnotations"
    ]
    return [*before, views]


def _resized(resize: Mapping[str, Any], scale: float) -> ConfigDict:
    if resize.get("scale_factor") is not None:
        return ConfigDict(resize, scale_factor=resize["scale_factor"] * scale)
    size = resize["scale"]
    sides = (size, size) if isinstance(size, int) else size
    return ConfigDict(resize, scale=tuple(round(side * scale) for side in sides))
