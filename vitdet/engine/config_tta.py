"""Prepare a config for test-time augmentation: `test.py --tta`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import LoadAnnotations
from mmengine.config import Config, ConfigDict

from vitdet.engine.config_parts import datasets_of
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError

SCALES = (1.0, 0.8, 1.25)
SEGMENTOR_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # of the published "ms+flip" figures
_VIEW_KEYS = ("img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")
_META_KEYS = {"PackDetInputs": ("img_id", *_VIEW_KEYS), "PackSegInputs": _VIEW_KEYS}


def use_tta(config: Config, scales: Sequence[float] | None = None) -> None:
    """Let the config's test data come in several views and its model merge what it finds, in place.

    The views are the test size times each of `scales`, straight and flipped left to right; by
    default 1, 0.8 and 1.25, and for segmentors 0.5 to 1.75 in steps of a quarter. A config that
    states a `tta_pipeline`, as mmdet's do, has that instead.

    Raises:
        UserError: the test pipeline has no place for views.
    """
    scope = config.get("default_scope") or "mmengine"
    node = dict(datasets_of(config)).get("test")
    if node is None:
        raise UserError("--tta: the config has no test_dataloader")
    is_segmentor = "decode_head" in config["model"]
    scales = scales or (SEGMENTOR_SCALES if is_segmentor else SCALES)
    own = config.get("tta_pipeline")
    node["pipeline"] = own or _views(node["pipeline"], scales, scope)
    name = "AugmentedSegmentor" if is_segmentor else "AugmentedDetector"
    config["model"] = ConfigDict(type=f"vitdet.tta.{name}", module=config["model"])


def _views(pipeline: Sequence[Any], scales: Sequence[float], scope: str) -> list[ConfigDict]:
    steps = [(getattr(class_of(step, scope), "__name__", ""), step) for step in pipeline]
    names = [name for name, _ in steps]
    packer = next((name for name in names if name in _META_KEYS), None)
    if "Resize" not in names or packer is None:
        raise UserError(
            f"--tta: the test pipeline needs a Resize and a {' or '.join(_META_KEYS)} to make "
            f"views from, it has {', '.join(names)}; or state a tta_pipeline in the config"
        )
    place = names.index("Resize")
    sizes = [_resized(pipeline[place], scale) for scale in scales]
    flips = [ConfigDict(type="mmdet.datasets.transforms.RandomFlip", prob=p) for p in (0.0, 1.0)]
    loads_labels = {
        name: issubclass(class_of(step, scope), LoadAnnotations) for name, step in steps
    }
    others = [
        ConfigDict(step, meta_keys=_META_KEYS[name]) if name == packer else step
        for name, step in steps[place + 1 :]
        if not loads_labels[name]
    ]
    if packer == "PackSegInputs":  # labels of pixels, unflipped and at their own size
        others = [*(step for name, step in steps if loads_labels[name]), *others]
    views = ConfigDict(
        type="mmcv.transforms.TestTimeAug",
        transforms=[sizes, flips, *([step] for step in others)],
    )
    before = [step for name, step in steps[:place] if not loads_labels[name]]
    return [*before, views]


def _resized(resize: Mapping[str, Any], scale: float) -> ConfigDict:
    if resize.get("scale_factor") is not None:
        return ConfigDict(resize, scale_factor=resize["scale_factor"] * scale)
    size = resize["scale"]
    sides = (size, size) if isinstance(size, int) else size
    return ConfigDict(resize, scale=tuple(round(side * scale) for side in sides))
