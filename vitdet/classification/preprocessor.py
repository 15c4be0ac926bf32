"""From images of a data set to the batch a classifier takes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import TRANSFORMS
from torch import Tensor

from vitdet.registry import MODELS


@MODELS.register_module()
class ImagePreprocessor(ImgDataPreprocessor):
    """Normalizes images and stacks them; in training, changes each of them as `augments` say.

    Args:
        mean: of red, green and blue, 0 to 255.
        std: of red, green and blue.
        augments: transforms of one normalized image (3, H, W), or configs of such, as
            `dict(type=RandomErasing, value="random")` of torchvision.transforms.v2, which fills
            with noise of the deviation that images have after normalization.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        augments: Sequence[Callable[[Tensor], Tensor] | dict[str, Any]] = (),
    ) -> None:
        super().__init__(mean=mean, std=std)
        self.augments = [TRANSFORMS.build(a) if isinstance(a, dict) else a for a in augments]

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Turn lists of images (3, H, W) of one size into inputs: (B, 3, H, W)."""
        data = super().forward(data, training)
        if training and self.augments:
            data["inputs"] = torch.stack([self._augment(image) for image in data["inputs"]])
        return data

    def _augment(self, image: Tensor) -> Tensor:
        for augment in self.augments:
            image = augment(image)
        return image
