"""Models as functions of pixels: what is around the network in Python, as tensor operations."""

import torch
from torch import Tensor, nn

from vitdet.deploy.dense_detector import ExportedRetinaNet, is_retinanet
from vitdet.deploy.exported_model import ExportedModel, width_and_height
from vitdet.deploy.hybrid_cascade import ExportedHTC, is_htc
from vitdet.deploy.region_detector import ExportedRCNN, is_rcnn
from vitdet.detectors.set_predictor import SetPredictor
from vitdet.errors import UserError
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
    if is_retinanet(model):
        return ExportedRetinaNet(model).eval()
    if is_rcnn(model):
        return ExportedRCNN(model).eval()
    if is_htc(model):
        return ExportedHTC(model).eval()
    raise UserError(
        f"a {type(model).__name__} cannot be exported yet; DETR, YOLOS, RetinaNet, Faster, Mask "
        "and Cascade R-CNN, HTC (of the usual parts) and segmentors of an encoder and a decoder can"
    )


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
        return boxes * width_and_height(images).repeat(2), scores, labels.gather(1, queries)


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
