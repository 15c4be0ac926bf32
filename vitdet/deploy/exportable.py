"""Models as functions of pixels: what is around the network in Python, as tensor operations."""

import torch
import torch.nn.functional as F
from mmseg.models.data_preprocessor import SegDataPreProcessor
from torch import Tensor, nn

from vitdet.detectors.set_predictor import SetPredictor
from vitdet.errors import UserError
from vitdet.inference.model_card import Task
from vitdet.segmentors import EncoderDecoder
from vitdet.set_prediction.boxes import cxcywh_to_xyxy


def exportable(model: nn.Module) -> "ExportedModel":
    """Wrap a trained model.

    Raises:
        UserError: it is of a kind that cannot be exported yet.
    """
    if isinstance(model, SetPredictor):
        return ExportedSetPredictor(model).eval()
    if isinstance(model, EncoderDecoder):
        return ExportedSegmentor(model).eval()
    raise UserError(
        f"a {type(model).__name__} cannot be exported yet; DETR, YOLOS and segmentors of an "
        "encoder and a decoder can"
    )


class ExportedModel(nn.Module):
    """From (B, H, W, 3) uint8 RGB to the outputs of a `ModelCard`.

    Attributes:
        task: see `ModelCard`.
        output_names: of what `forward` returns.
    """

    task: Task
    output_names: tuple[str, ...]

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        preprocessor = model.data_preprocessor
        # mmdet's and mmseg's swap the channels of files, which are BGR, and then normalise.
        is_mmsegs = isinstance(preprocessor, SegDataPreProcessor)
        is_rgb = preprocessor.channel_conversion if is_mmsegs else preprocessor._channel_conversion
        self.swaps_channels = not is_rgb
        for_tests = getattr(preprocessor, "test_cfg", None) or {}
        divisor = for_tests.get("size_divisor") if is_mmsegs else preprocessor.pad_size_divisor
        self.divisor = divisor or 1
        for name in ("mean", "std"):
            value = getattr(preprocessor, name, torch.full((3, 1, 1), float(name == "std")))
            self.register_buffer(name, value.view(1, 3, 1, 1).float().clone())

    @property
    def fill(self) -> tuple[int, int, int]:
        """RGB of what is closest to zero after normalisation, which images are padded with."""
        colour = self.mean.flatten().round().int().tolist()
        return tuple(reversed(colour)) if self.swaps_channels else tuple(colour)

    def prepare(self, images: Tensor) -> Tensor:
        """Normalise images: (B, H, W, 3) and pad them, to (B, 3, H', W')."""
        x = images.permute(0, 3, 1, 2)
        x = x.flip(1) if self.swaps_channels else x
        x = (x.float() - self.mean) / self.std
        height, width = x.shape[2:]
        below, right = -height % self.divisor, -width % self.divisor
        if self.divisor > 1:
            x = F.pad(x, (0, right, 0, below))
        return x


class ExportedSetPredictor(ExportedModel):
    """DETR or YOLOS: every query with its best class, best score first."""

    task = "detection"
    output_names = ("boxes", "scores", "labels")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find objects in images: (B, H, W, 3) uint8.

        Returns boxes: (B, N, 4) xyxy pixels of the images, scores: (B, N), labels: (B, N).
        """
        decoded = self.model.decode(self.prepare(images))
        scores, labels = decoded.logits[-1].float().softmax(-1)[..., :-1].max(-1)
        num_kept = self.model.max_per_image or scores.shape[1]
        scores, queries = scores.topk(min(num_kept, scores.shape[1]), dim=1)
        boxes = cxcywh_to_xyxy(decoded.boxes[-1].float())
        boxes = boxes.gather(1, queries[..., None].expand(-1, -1, 4))
        width, height = (boxes.new_ones(1) * images.shape[axis] for axis in (2, 1))
        scale = torch.cat([width, height, width, height])
        return boxes * scale, scores, labels.gather(1, queries)


class ExportedSegmentor(ExportedModel):
    """Backbone and decode head: the class of each pixel."""

    task = "segmentation"
    output_names = ("classes",)

    def forward(self, images: Tensor) -> Tensor:
        """Tell the class of each pixel of images: (B, H, W, 3) uint8; (B, H, W) uint8."""
        x = self.prepare(images)
        meta = dict(img_shape=x.shape[2:], pad_shape=x.shape[2:], ori_shape=x.shape[2:])
        if self.model.test_cfg.get("mode", "whole") == "slide":
            logits = self.model.slide_inference(x, [meta])
        else:
            logits = self.model.encode_decode(x, [meta])
        classes = logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
        return classes[:, : images.shape[1], : images.shape[2]].to(torch.uint8)
