"""A backbone and a linear layer that tells classes."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel, initialize
from mmengine.registry import TRANSFORMS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from vitdet.backbones.backbone import Backbone, InitConfig, with_our_loader
from vitdet.classification.distillation import Distillation
from vitdet.registry import MODELS

BatchAugment = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """Classes from the tokens of a backbone: from their mean, or from its class token.

    A backbone with two class tokens (DeiT's class and distillation tokens) gets a head for each.
    Test-time logits are their mean. Without a teacher both learn from the labels.

    Official classifier files, whose backbone and head share one name space, load into it whole.

    Args:
        backbone: one of ours, or its config; normally with `final_norm=True, out_indices=()`.
        num_classes: classes of the data; `vitdet.engine.load_config` fills it in.
        label_smoothing: share of a label that is spread over all classes.
        batch_augments: transforms of (images, one-hot labels), or configs of such, as
            `dict(type=MixUp, alpha=0.8)` of torchvision.transforms.v2; each batch goes through
            one of them, drawn anew.
        distillation: a teacher to learn from, or its config.
        data_preprocessor: config of `ImagePreprocessor`.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.
    """

    classifier_heads = ("head", "head_dist")
    """Layers that published files keep in the backbone's name space (`load_checkpoint`)."""

    def __init__(
        self,
        backbone: Backbone | dict[str, Any],
        num_classes: int,
        *,
        label_smoothing: float = 0.0,
        batch_augments: Sequence[BatchAugment | dict[str, Any]] = (),
        distillation: Distillation | dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: InitConfig = None,
    ) -> None:
        configs = init_cfg if isinstance(init_cfg, list) else [init_cfg] if init_cfg else []
        super().__init__(data_preprocessor, [with_our_loader(c) for c in configs] or None)
        self.backbone = MODELS.build(backbone) if isinstance(backbone, dict) else backbone
        self.num_classes = num_classes
        self.label_smoothing = label_smoothing
        with torch.device(
            "cpu"
        ):  # torchvision draws its numbers there, wherever the model is built
            self.batch_augments = [
                TRANSFORMS.build(augment) if isinstance(augment, dict) else augment
                for augment in batch_augments
            ]
        if isinstance(distillation, dict):
            distillation = MODELS.build(distillation)
        self.distillation = distillation
        self.head = _linear_head(self.backbone.num_features, num_classes)
        self.head_dist = None
        if self.backbone.num_class_tokens == 2:
            self.head_dist = _linear_head(self.backbone.num_features, num_classes)

    def init_weights(self) -> None:
        """Initialize the parts, then what `init_cfg` says about the whole."""
        init_cfg, self.init_cfg = self.init_cfg, None  # mmengine would let the parts overwrite it
        is_fresh = not self.is_init
        super().init_weights()
        self.init_cfg = init_cfg
        if init_cfg and is_fresh:
            initialize(self, init_cfg)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Do as `mode` says; see `loss`, `predict` and `logits`."""
        if mode == "loss":
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self.predict(inputs, data_samples)
        if mode == "tensor":
            return self.logits(inputs)
        raise ValueError(f"mode {mode!r} is none of loss, predict, tensor")

    def logits(self, images: Tensor) -> Tensor:
        """Map images: (B, 3, H, W) to logits (B, K), the mean of both heads if there are two."""
        return torch.stack(self._head_logits(images)).mean(0)

    def loss(self, images: Tensor, data_samples: Sequence[BaseDataElement]) -> dict[str, Tensor]:
        """Compute the training loss.

        Args:
            images: (B, 3, H, W).
            data_samples: the B images' `gt_label`, each a scalar int64.
        """
        labels = torch.stack([sample.gt_label for sample in data_samples]).to(images.device)
        labels = F.one_hot(labels, self.num_classes).to(images.dtype)
        if self.batch_augments:
            images, labels = random.choice(self.batch_augments)(images, labels)
        heads = self._head_logits(images)
        if self.distillation is None:
            return {"loss": torch.stack([self._label_loss(head, labels) for head in heads]).mean()}
        label_loss = self._label_loss(heads[0], labels)
        return {"loss": self.distillation(label_loss, heads[-1], images)}

    def predict(
        self, images: Tensor, data_samples: Sequence[BaseDataElement] | None = None
    ) -> list[BaseDataElement]:
        """Return the samples with `pred_scores`: (K,), which sum to 1, and `pred_label`: ()."""
        scores = self.logits(images).softmax(-1)
        samples = data_samples or [BaseDataElement() for _ in scores]
        for sample, one in zip(samples, scores, strict=True):
            sample.pred_scores = one
            sample.pred_label = one.argmax()
        return list(samples)

    def _head_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, K) of each head, in float32."""
        tokens = self.backbone.forward_tokens(images)  # (B, N, C)
        if self.backbone.num_class_tokens == 0:
            return (self.head(tokens.mean(1)).float(),)
        if self.head_dist is None:
            return (self.head(tokens[:, 0]).float(),)
        return self.head(tokens[:, 0]).float(), self.head_dist(tokens[:, 1]).float()

    def _label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


def _linear_head(num_features: int, num_classes: int) -> nn.Linear:
    head = nn.Linear(num_features, num_classes)
    nn.init.trunc_normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head
