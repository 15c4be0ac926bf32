"""What DETR and YOLOS share: a set of predictions, matched to the objects when training."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn.functional import relu

from vitdet.backbones.backbone import InitConfig
from vitdet.errors import UserError
from vitdet.set_prediction import HungarianMatcher, SetCriterion, targets_of
from vitdet.set_prediction.postprocess import Detections, detections


class SetPredictor(BaseModel):
    """Each query predicts one object or none, and nothing is suppressed after.

    The modes of `forward`, its inputs and its results are those of mmdet's detectors. What is
    predicted, `decode` says: among others `logits`: (num_layers, B, Q, K + 1), no object last, and
    `boxes`: (num_layers, B, Q, 4), cxcywh as shares of the image.

    Args:
        num_classes: K.
        matcher: arguments of `HungarianMatcher`.
        criterion: arguments of `SetCriterion`.
        max_per_image: objects returned per image, the best; by default all Q.
        data_preprocessor: mmdet's, as config or built.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        matcher: Mapping[str, float] | None,
        criterion: Mapping[str, float] | None,
        max_per_image: int | None,
        data_preprocessor: nn.Module | dict[str, Any] | None,
        init_cfg: InitConfig,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.max_per_image = max_per_image
        self.criterion = SetCriterion(
            num_classes, HungarianMatcher(**(matcher or {})), **(criterion or {})
        )

    @property
    def num_classes(self) -> int:
        """K, without "no object"."""
        return self.criterion.num_classes

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[DetDataSample] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Run the detector.

        Args:
            inputs: (B, 3, H, W) normalized, padded at the bottom and right.
            data_samples: one for each image, with `img_shape`, and `gt_instances` for the losses.
            mode: "loss", "predict" or "tensor", for `loss`, `predict` or `decode`.
        """
        if mode == "loss":
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self.predict(inputs, data_samples)
        if mode == "tensor":
            decoded = self.decode(inputs, data_samples)
            return decoded.logits, decoded.boxes
        raise UserError(f"{type(self).__name__}: mode {mode!r} is none of loss, predict, tensor")

    def decode(
        self,
        inputs: Tensor,
        data_samples: Sequence[DetDataSample] | None = None,
        *,
        return_attention: bool = False,
    ) -> Any:
        """Compute all that is predicted, without judging it; arguments as in `forward`."""
        raise NotImplementedError

    def loss(self, inputs: Tensor, data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """Losses by name, see `SetCriterion`; arguments as in `forward`."""
        decoded = self.decode(inputs, data_samples)
        return self.criterion(decoded.logits, decoded.boxes, targets_of(data_samples))

    def predict(
        self, inputs: Tensor, data_samples: Sequence[DetDataSample]
    ) -> Sequence[DetDataSample]:
        """Add to each sample `pred_instances`, in pixels of the original image, best first."""
        self._add_instances(self.decode(inputs, data_samples), data_samples)
        return data_samples

    def _add_instances(
        self, decoded: Any, data_samples: Sequence[DetDataSample]
    ) -> list[Detections]:
        """Add the last layer's objects to each sample, and return them."""
        sizes = [sample.ori_shape[:2] for sample in data_samples]
        found = detections(
            decoded.logits[-1], decoded.boxes[-1], sizes, max_per_image=self.max_per_image
        )
        for sample, objects in zip(data_samples, found, strict=True):
            sample.pred_instances = InstanceData(
                bboxes=objects.boxes, scores=objects.scores, labels=objects.labels
            )
        return found


class PredictionHead(nn.Module):
    """Three linear layers with ReLU between."""

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, width) for width in (dim, dim, out_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (..., C) to (..., out_dim)."""
        first, second, last = self.layers
        return last(relu(second(relu(first(x)))))
