"""An image as a model sees it: prepared as for testing, and brought back to pixels."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from vitdet.classification.preprocessor import ImagePreprocessor
from vitdet.errors import UserError
from vitdet.inference import Predictor
from vitdet.inference.torch_predictor import TorchPredictor


class View(NamedTuple):
    """An image on its way into a model.

    Attributes:
        inputs: (1, 3, H, W) normalized, padded at the bottom and right.
        samples: the one data sample, with `img_shape` and `ori_shape`.
        pixels: (h, w, 3) uint8 RGB, resized (and cropped) for the model, without its padding.
    """

    inputs: Tensor
    samples: list[BaseDataElement]
    pixels: np.ndarray


def load_predictor(checkpoint: str | Path, device: str | None = None) -> TorchPredictor:
    """A checkpoint as a predictor whose model can be looked into.

    Raises UserError as `Predictor` does, and for an exported model.
    """
    predictor = Predictor(checkpoint, device)
    if not isinstance(predictor, TorchPredictor):
        raise UserError(f"{checkpoint}: nobody can look into an exported model; give a checkpoint")
    return predictor


def view_of(predictor: TorchPredictor, image: Path | np.ndarray) -> View:
    """Prepare an image, a file or (H, W, 3) uint8 RGB pixels, as the predictor does."""
    packed = predictor.prepare(image)
    batch = {key: [packed[key]] for key in ("inputs", "data_samples")}
    batch = predictor.model.data_preprocessor(batch, False)
    sample = batch["data_samples"][0]
    height, width = image_shape(sample, batch["inputs"])
    pixels = pixels_of_input(batch["inputs"][0], predictor.model.data_preprocessor)
    return View(batch["inputs"], list(batch["data_samples"]), pixels[:height, :width])


def image_shape(sample: BaseDataElement, inputs: Tensor) -> tuple[int, int]:
    """(h, w) of an image in inputs: (..., H, W); those of classifiers have no padding."""
    return tuple(sample.get("img_shape", inputs.shape[-2:]))[:2]


def pixels_of_input(inputs: Tensor, preprocessor: nn.Module) -> np.ndarray:
    """Undo the normalization of inputs: (3, H, W), to (H, W, 3) uint8 RGB."""
    image = inputs.detach().float().cpu()
    if getattr(preprocessor, "_enable_normalize", False):
        image = image * preprocessor.std.cpu() + preprocessor.mean.cpu()
    if not _is_rgb(preprocessor):
        image = image.flip(0)
    return image.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _is_rgb(preprocessor: nn.Module) -> bool:
    """Whether what it gives is RGB. Images are read as BGR, those of classifiers turned at once."""
    names = ("_channel_conversion", "channel_conversion")  # mmengine's and mmseg's
    turns = any(getattr(preprocessor, name, False) for name in names)
    return turns or isinstance(preprocessor, ImagePreprocessor)
