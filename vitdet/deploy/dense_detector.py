"""RetinaNet as a function of pixels."""

import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn

from vitdet.deploy.exported_model import ExportedModel, width_and_height
from vitdet.deploy.suppression import best, suppress
from vitdet.rcnn import box_deltas


def is_retinanet(model: nn.Module) -> bool:
    """Whether `ExportedRetinaNet` computes what this model does."""
    return (
        isinstance(model, SingleStageDetector)
        and isinstance(model.bbox_head, RetinaHead)
        and box_deltas.is_known(model.bbox_head.bbox_coder)
        and model.test_cfg["nms"].get("type", "nms") == "nms"
    )


class ExportedRetinaNet(ExportedModel):
    """The best boxes of all anchors; fewer are filled up with scores of 0."""

    task = "detection"
    output_names = ("boxes", "scores", "labels")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find objects in images: (B, H, W, 3) uint8.

        Returns boxes: (B, N, 4) xyxy pixels of the images, scores: (B, N), labels: (B, N).
        """
        head: RetinaHead = self.model.bbox_head
        config = self.model.test_cfg
        scores_of_levels, deltas_of_levels = head(self.model.extract_feat(self.prepare(images)))
        sizes = [tuple(one.shape[2:]) for one in scores_of_levels]
        priors = head.prior_generator.grid_priors(sizes, device=images.device)
        levels = zip(scores_of_levels, deltas_of_levels, priors, strict=True)
        limits = width_and_height(images)
        parts = []
        for logits, deltas, anchors in levels:
            logits = logits.permute(0, 2, 3, 1).flatten(1).float()  # (B, N * K)
            deltas = deltas.permute(0, 2, 3, 1).unflatten(3, (-1, 4)).flatten(1, 3)
            scores, places = logits.sigmoid().topk(
                torch.sym_min(config["nms_pre"], logits.shape[1]), dim=1
            )
            rows = places // head.num_classes
            chosen = deltas.gather(1, rows[..., None].expand(-1, -1, 4))
            boxes = box_deltas.decode(head.bbox_coder, anchors[rows], chosen, limits)
            parts.append((boxes, scores, places % head.num_classes))
        boxes, scores, labels = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        sides = boxes[..., 2:] - boxes[..., :2]
        is_found = (scores > config["score_thr"]) & (sides.amin(-1) > config["min_bbox_size"])
        scores = torch.where(is_found, scores, 0.0)
        scores = suppress(boxes, scores, labels, iou_threshold=config["nms"]["iou_threshold"])
        scores, boxes, labels = best(scores, config["max_per_img"], boxes, labels)
        return boxes, scores, labels
