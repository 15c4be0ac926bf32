"""A trained model in, results out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitdet.datasets.image_sources import ImageLike, images_of
from vitdet.errors import UserError
from vitdet.inference.prediction import Prediction
from vitdet.visualization.colours import Colour

if TYPE_CHECKING:
    import torch

__all__ = ["Prediction", "Predictor"]


class Predictor:
    """A trained model and how to prepare images for it, all from one file.

    The checkpoint, ours or one that mmdet trained, carries its config and class names; the config
    is read as data and nothing in it is executed (see `vitdet.checkpoints.embedded_config`). A file
    `.onnx` that `vitdet export` wrote runs without torch (see `vitdet.inference.onnx_predictor`).

    Args:
        checkpoint: file or URL.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best there is.
        trusted_modules: modules of yours whose classes the config may name.

    Attributes:
        class_names: name of each class.
        thing_names: of these, in panoptic segmentation, what is counted.
        colours: of each class, where classes of pixels are drawn.

    Raises UserError if the file is unreadable, unsafe, or not complete in itself.
    """

    class_names: tuple[str, ...]
    thing_names: tuple[str, ...] = ()
    colours: Sequence[Colour] = ()

    def __new__(cls, checkpoint: str | Path, *_: Any, **__: Any) -> "Predictor":
        if cls is not Predictor:
            return super().__new__(cls)
        # The kind of file decides, and what it needs is imported.
        if str(checkpoint).endswith(".onnx"):
            from vitdet.inference.onnx_predictor import OnnxPredictor

            return super().__new__(OnnxPredictor)
        if str(checkpoint).endswith(".pt2"):
            raise UserError(
                f"{checkpoint} is for programs that call torch.export.load, which may run code in "
                "it; give the checkpoint it was made from, or an .onnx file"
            )
        from vitdet.inference.torch_predictor import TorchPredictor

        return super().__new__(TorchPredictor)

    def __init__(
        self,
        checkpoint: str | Path,
        device: "str | torch.device | None" = None,
        *,
        trusted_modules: Sequence[str] = (),
    ) -> None:
        raise NotImplementedError

    def __call__(
        self, images: ImageLike | Iterable[ImageLike], *, batch_size: int = 1
    ) -> list[Prediction]:
        """Find objects in one image or several; always returns a list, in their order.

        Images are files or their http(s) URLs, arrays (H, W, 3) of uint8 in RGB order, tensors
        (3, H, W) of uint8 or of floats from 0 to 1, or Pillow images. A folder stands for the
        images in it, a pattern such as "photos/*.jpg" for what matches, a video for its frames,
        an array or tensor with a first axis more for its parts. Files are read as in training, by
        OpenCV and turned upright as their EXIF tag says; Pillow images are turned as well. In a
        batch, images are padded to the largest of them, which changes results in the last digits;
        hence `batch_size` is 1 unless you prefer speed.

        Raises UserError if a file is missing or no image, a URL cannot be fetched, an array is of
        another kind, or an image so narrow that nothing of it is left at the model's size.
        """
        return list(self.stream(images, batch_size=batch_size))

    def stream(
        self, images: ImageLike | Iterable[ImageLike], *, batch_size: int = 1
    ) -> Iterator[Prediction]:
        """The same one by one: of a long video, never more than a batch is held."""
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size}: it counts images, at least 1")
        sources = images_of(images)
        while batch := [source.image for source in islice(sources, batch_size)]:
            yield from self._predict(batch)

    def _predict(self, batch: Sequence[Path | np.ndarray]) -> list[Prediction]:
        """What is found in images: files, or (H, W, 3) uint8 RGB pixels."""
        raise NotImplementedError


def too_narrow(shape: Sequence[int]) -> UserError:
    """What to raise for an image of shape (H, W, ...) that cannot be resized for the model."""
    height, width = shape[:2]
    return UserError(
        f"an image of {width}x{height} cannot be resized for the model: nothing would be left of "
        "its shorter side; cut it into pieces"
    )
