"""The losses of set prediction (Carion et al. 2020, arXiv:2005.12872, eq. 2 and appendix A.2)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from vitdet.set_prediction.boxes import cxcywh_to_xyxy, generalized_iou
from vitdet.set_prediction.mask_losses import dice_loss, focal_loss
from vitdet.set_prediction.matcher import HungarianMatcher, Matches
from vitdet.set_prediction.targets import Targets

MasksOf = Callable[[Tensor, Tensor], Tensor]


class SetCriterion(nn.Module):
    """Matches predictions with objects, in each decoder layer anew, and compares the pairs.

    Nothing here waits for the device but the matcher, once.

    Args:
        num_classes: K; the logits have one more, no object, the last.
        matcher: finds the pairs.
        no_object_weight: weight of the class "no object" in the cross-entropy, which all queries
            but a few have to predict.
        class_weight: weight of the cross-entropy.
        l1_weight: weight of the L1 distance of the boxes.
        giou_weight: weight of 1 minus their generalized IoU.
        mask_weight: weight of the focal loss of the masks.
        dice_weight: weight of the dice loss of the masks.
    """

    def __init__(
        self,
        num_classes: int,
        matcher: HungarianMatcher,
        *,
        no_object_weight: float = 0.1,
        class_weight: float = 1.0,
        l1_weight: float = 5.0,
        giou_weight: float = 2.0,
        mask_weight: float = 1.0,
        dice_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.matcher = matcher
        self.weights = {
            "loss_ce": class_weight,
            "loss_bbox": l1_weight,
            "loss_giou": giou_weight,
            "loss_mask": mask_weight,
            "loss_dice": dice_weight,
        }
        weights = torch.ones(num_classes + 1)
        weights[-1] = no_object_weight
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(
        self,
        logits: Tensor,
        boxes: Tensor,
        targets: Targets,
        *,
        masks_of: MasksOf | None = None,
    ) -> dict[str, Tensor]:
        """Compute the weighted losses, and what is only to be logged.

        Args:
            logits: (num_layers, B, Q, K + 1), one for each decoder layer, the last one last.
            boxes: (num_layers, B, Q, 4) cxcywh as shares of the image.
            targets: the objects of the B images.
            masks_of: mask logits, (M, h, w), of the M queries whose images, (M,), and places,
                (M,), it is given; asked for the matched ones of the last layer.

        Returns:
            Scalars: `loss_ce`, `loss_bbox` and `loss_giou` of the last layer, of the others with
            their number from 0 (`loss_ce_0`), with masks `loss_mask` and `loss_dice`; and without
            gradient `cardinality_error`, how far the number of predicted objects is off, and
            `class_error`, the percentage of matched queries of the last layer with another class.

        Raises:
            UserError: see `HungarianMatcher`.
        """
        logits, boxes = logits.float(), boxes.float()
        matches = self.matcher(logits, boxes, targets)
        wanted = self._wanted_classes(logits, targets, matches)
        weights = self.class_weights[wanted]
        num_objects, weight_sum = _means_over_processes(
            targets.num_objects.sum(), weights.sum((1, 2))
        )
        per_layer = {
            "loss_ce": self._class_loss(logits, wanted) / weight_sum,
            **self._box_losses(boxes, targets, matches, num_objects),
            "cardinality_error": _cardinality_error(logits, targets),
        }
        losses = {}
        for name, values in per_layer.items():
            *auxiliary, last = (values * self.weights.get(name, 1)).unbind()
            losses[name] = last
            losses |= {f"{name}_{layer}": value for layer, value in enumerate(auxiliary)}
        losses["class_error"] = _class_error(logits[-1], targets, matches)
        if masks_of is not None:
            assert targets.masks is not None, "masks are compared, but the targets have none"
            losses |= self._mask_losses(masks_of, targets, matches, num_objects)
        return losses

    def _wanted_classes(self, logits: Tensor, targets: Targets, matches: Matches) -> Tensor:
        """What each query of each layer should predict, (num_layers, B, Q)."""
        layers = torch.arange(len(logits), device=logits.device)[:, None]
        wanted = torch.full(logits.shape[:-1], self.num_classes, device=logits.device)
        wanted[layers, matches.images, matches.queries] = targets.labels[
            matches.images, matches.objects
        ]
        return wanted

    def _class_loss(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Weighted cross-entropy summed over all queries, (num_layers,)."""
        losses = F.cross_entropy(
            logits.flatten(0, 2), wanted.flatten(), self.class_weights, reduction="none"
        )
        return losses.view(wanted.shape).sum((1, 2))

    def _box_losses(
        self, boxes: Tensor, targets: Targets, matches: Matches, num_objects: Tensor
    ) -> dict[str, Tensor]:
        """L1 and generalized IoU of the matched boxes, (num_layers,) each."""
        layers = torch.arange(len(boxes), device=boxes.device)[:, None]
        found = boxes[layers, matches.images, matches.queries]  # (num_layers, M, 4)
        wanted = targets.boxes[matches.images, matches.objects].float()
        giou = generalized_iou(cxcywh_to_xyxy(found), cxcywh_to_xyxy(wanted))
        return {
            "loss_bbox": (found - wanted).abs().sum((1, 2)) / num_objects,
            "loss_giou": (1 - giou).sum(1) / num_objects,
        }

    def _mask_losses(
        self, masks_of: MasksOf, targets: Targets, matches: Matches, num_objects: Tensor
    ) -> dict[str, Tensor]:
        found = masks_of(matches.images, matches.queries[-1]).float()
        wanted = targets.masks[matches.images, matches.objects[-1]].float()
        found = F.interpolate(
            found[:, None], size=wanted.shape[1:], mode="bilinear", align_corners=False
        )[:, 0]
        return {
            "loss_mask": focal_loss(found, wanted) / num_objects * self.weights["loss_mask"],
            "loss_dice": dice_loss(found, wanted) / num_objects * self.weights["loss_dice"],
        }


def _means_over_processes(num_objects: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """What the losses of this process are divided by, so that their mean over processes is the
    loss of one process with all of their images.

    DETR does so with the objects, but takes at least one of each process, and divides
    cross-entropies by their own process's weights.

    Args:
        num_objects: () of all images here.
        weights: (num_layers,) of all classes wanted here.
    """
    sums = torch.cat([num_objects.to(weights)[None], weights])
    all_reduce(sums)
    share = 1 / get_world_size()
    return sums[0].clamp(min=1) * share, sums[1:] * share


@torch.no_grad()
def _cardinality_error(logits: Tensor, targets: Targets) -> Tensor:
    """Mean difference of predicted and present objects of an image, (num_layers,)."""
    num_found = (logits.argmax(-1) != logits.shape[-1] - 1).sum(-1)
    return (num_found - targets.num_objects).abs().float().mean(1)


@torch.no_grad()
def _class_error(logits: Tensor, targets: Targets, matches: Matches) -> Tensor:
    """Percentage of the matched queries whose most probable class is not the object's."""
    found = logits[matches.images, matches.queries[-1]].argmax(-1)
    is_right = found == targets.labels[matches.images, matches.objects[-1]]
    return 100 - 100 * is_right.sum() / max(is_right.numel(), 1)
