"""The ends of a classifier's pipeline; what stands between them are torchvision's transforms.

    [LoadImage, ToPIL, v2.RandomResizedCrop, v2.RandAugment, ..., PackImage]

torchvision's transforms of version 2 change the image in the dict that mmengine's pipelines pass
on, and leave the rest of it alone.
"""

from typing import Any

from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.structures import BaseDataElement
from PIL import Image
from torch import tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from vitdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Reads `img_path` as mmcv does, unless the data set has put the pixels into `img`."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        if "img" not in results:
            return super().transform(results)
        size = results["img"].shape[:2]
        return {**results, "img_shape": size, "ori_shape": size}


@TRANSFORMS.register_module()
class ToPIL(BaseTransform):
    """Turns BGR pixels (H, W, 3) into a Pillow image, which torchvision works on fast."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        return {**results, "img": Image.fromarray(results["img"][..., ::-1].astype("uint8"))}


@TRANSFORMS.register_module()
class PackImage(BaseTransform):
    """Makes what a model takes: `inputs`, (3, H, W) uint8 RGB, and a sample with `gt_label`."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        keys = ("img_id", "img_path", "ori_shape")
        sample = BaseDataElement(metainfo={key: results.get(key) for key in keys})
        if "gt_label" in results:
            sample.gt_label = tensor(results["gt_label"])
        return {"inputs": pil_to_tensor(results["img"]), "data_samples": sample}
