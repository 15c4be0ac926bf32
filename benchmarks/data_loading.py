"""Images as a training sees them: read, decoded, resized, flipped and packed, on real photos.

The photos are COCO128 (`annotations/instances.json`, `images/`) in the folder that `PHOTOS` names,
by default `../shared/data/coco128_train`. A step prepares 32 of them, so images per second and core
are 32 over the seconds. Half of them are flipped: each second one, by all peers alike. Large-scale
jitter draws its scales and crops; torchvision, which draws others, is compared on masks instead.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from harness import Benchmark, Case, Step
from torch import Tensor

PHOTOS = Path(
    os.environ.get("PHOTOS", Path(__file__).parents[2] / "shared" / "data" / "coco128_train")
)
NUM_IMAGES = 32
SCALE = (1333, 800)
CROP = (1024, 1024)
RATIOS = (0.1, 2.0)


def dataset() -> Any:
    from vitdet.datasets import CocoDataset

    return CocoDataset(
        ann_file=str(PHOTOS / "annotations" / "instances.json"),
        data_prefix=dict(img=str(PHOTOS / "images")),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[],
    )


def config_pipeline(case: Case) -> list[dict]:
    """The training pipeline of the config that a user of vitdet would take."""
    from mmengine.config import Config

    name = "coco_instance_lsj" if case.options["jitter"] else "coco_instance"
    folder = Path(__file__).parents[1] / "configs" / "_base_" / "datasets"
    steps = Config.fromfile(folder / f"{name}.py")["train_dataloader"]["dataset"]["pipeline"]
    steps[1]["with_mask"] = case.options["masks"]
    return [dict(step) for step in steps]


def mmdet_pipeline(case: Case) -> list[dict]:
    """The same as mmdet's own configs have it."""
    read = [
        dict(type="LoadImageFromFile", to_float32=case.options["jitter"]),
        dict(type="LoadAnnotations", with_bbox=True, with_mask=case.options["masks"]),
    ]
    flip, pack = dict(type="RandomFlip", prob=0.5), dict(type="PackDetInputs")
    if not case.options["jitter"]:
        return [*read, dict(type="Resize", scale=SCALE, keep_ratio=True), flip, pack]
    return [
        *read,
        flip,
        dict(type="RandomResize", scale=CROP, ratio_range=RATIOS, keep_ratio=True),
        dict(
            type="RandomCrop",
            crop_size=CROP,
            crop_type="absolute",
            recompute_bbox=True,
            allow_negative_crop=True,
        ),
        dict(type="FilterAnnotations", min_gt_bbox_wh=(1e-5, 1e-5), by_mask=True),
        pack,
    ]


def mmengine_step(pipeline: Any, case: Case, device: torch.device) -> Step:
    """A step of transforms that mmengine composes; only flipping is taken from chance."""
    from mmcv.transforms import Compose
    from mmengine.registry import init_default_scope

    init_default_scope("mmdet")
    cv2.setNumThreads(0)
    data = dataset()
    composed = []
    for prob in (0.0, 1.0):
        steps = pipeline(case)
        for step in steps:
            if "prob" in step:
                step["prob"] = prob
        composed.append(Compose(steps))

    def step() -> list[Tensor]:
        np.random.seed(0)
        outputs = []
        for k in range(NUM_IMAGES):
            packed = composed[k % 2](data.get_data_info(k))
            if packed is None:  # all objects were cropped away
                continue
            objects = packed["data_samples"].gt_instances
            outputs.append(packed["inputs"])
            outputs.append(objects.bboxes.tensor)
            if case.options["masks"]:
                outputs.append(torch.from_numpy(objects.masks.masks))
        return compared(outputs, has_masks=case.options["masks"])

    return step


def torchvision_step(case: Case, device: torch.device) -> Step:
    """The same from torchvision's transforms of version 2, on uint8 tensors."""
    from pycocotools import mask as coco_mask
    from torchvision import tv_tensors
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import v2

    data = dataset()
    jitter = [
        v2.ScaleJitter(CROP, RATIOS, antialias=True),
        v2.RandomCrop(CROP, pad_if_needed=True),
        v2.SanitizeBoundingBoxes(),
    ]

    def step() -> list[Tensor]:
        outputs = []
        for k in range(NUM_IMAGES):
            info = data.get_data_info(k)
            content = torch.from_file(
                info["img_path"], size=os.path.getsize(info["img_path"]), dtype=torch.uint8
            )
            image = tv_tensors.Image(decode_image(content, ImageReadMode.RGB))
            size = image.shape[-2:]
            objects = [one for one in info["instances"] if not one["ignore_flag"]]
            sample = {
                "image": image,
                "boxes": tv_tensors.BoundingBoxes(
                    torch.tensor([one["bbox"] for one in objects]), format="XYXY", canvas_size=size
                ),
                "labels": torch.tensor([one["bbox_label"] for one in objects]),
            }
            if case.options["masks"]:
                masks = [
                    coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(one["mask"], *size)))
                    for one in objects
                ]
                sample["masks"] = tv_tensors.Mask(torch.from_numpy(np.stack(masks)))
            if case.options["jitter"]:
                steps = [v2.RandomHorizontalFlip(float(k % 2)), *jitter]
            else:
                factor = min(max(SCALE) / max(size), min(SCALE) / min(size))
                scaled = [int(side * factor + 0.5) for side in size]
                steps = [v2.Resize(scaled), v2.RandomHorizontalFlip(float(k % 2))]
            sample = v2.Compose(steps)(sample)
            outputs += [sample["image"].flip(0), sample["boxes"].as_subclass(Tensor)]
            if case.options["masks"]:
                outputs.append(sample["masks"].as_subclass(Tensor))
        return compared(outputs, has_masks=case.options["masks"])

    return step


def compared(outputs: list[Tensor], *, has_masks: bool) -> list[Tensor]:
    """Image and boxes of the first photos, and the areas of their masks."""
    kinds = 3 if has_masks else 2
    areas = [masks.sum((1, 2)) for masks in outputs[2 : 3 * kinds : kinds]] if has_masks else []
    return [*outputs[0 : 3 * kinds : kinds], *outputs[1 : 3 * kinds : kinds], *areas]


def cases(is_quick: bool) -> list[Case]:
    masks = Case("with masks", {"masks": True, "jitter": False}, tolerance=0.04)
    return [
        Case("boxes only", {"masks": False, "jitter": False}, tolerance=0.04),
        masks,
        Case("large-scale jitter", {"masks": True, "jitter": True}, 0.0, compared_on=masks),
    ]


BENCHMARK = Benchmark(
    f"{NUM_IMAGES} photos of COCO as a training sees them",
    cases,
    {
        "vitdet": partial(mmengine_step, config_pipeline),
        "mmdet": partial(mmengine_step, mmdet_pipeline),
        "torchvision": torchvision_step,
    },
)
