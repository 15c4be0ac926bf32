"""Learning from a teacher's predictions (Touvron et al., "Training data-efficient image
transformers & distillation through attention", ICML 2021, arXiv:2012.12877, section 4).
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.registry import MODELS

Kind = Literal["soft", "hard"]


def soft_distillation_loss(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """Kullback-Leibler divergence from the teacher's to the student's softened classes (eq. 2).

    The paper's code divides by the number of classes as well, which the equation does not.

    Args:
        student: logits (B, K).
        teacher: logits (B, K).
        tau: temperature.

    Returns:
        Scalar, mean over the batch, times tau**2, so that gradients do not fade with tau.
    """
    student, teacher = (F.log_softmax(logits / tau, dim=-1) for logits in (student, teacher))
    return tau**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def hard_distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy with the teacher's decision as if it were the label (eq. 3).

    Args:
        student: logits (B, K).
        teacher: logits (B, K).

    Returns:
        Scalar, mean over the batch.
    """
    return F.cross_entropy(student, teacher.argmax(-1))


@MODELS.register_module()
class Distillation(nn.Module):
    """Mixes the loss on labels with one on what a teacher says about the same images.

    The teacher is no part of the student's weights: it is neither trained nor saved nor counted.
    It follows the images to their device.

    Args:
        teacher: a module, or the config of one, that maps the student's inputs, normalized as the
            student's, to logits (B, K): an `ImageClassifier` whose `init_cfg` names its weights, or
            `dict(type=timm.create_model, model_name="regnety_160", pretrained=True)`. A module is
            expected in evaluation mode.
        kind: "hard", as DeiT's best figures, or "soft".
        weight: share of the teacher; by default the paper's, 0.5 if hard, 0.1 if soft.
        tau: temperature of soft distillation.
    """

    def __init__(
        self,
        teacher: nn.Module | dict[str, Any],
        kind: Kind = "hard",
        *,
        weight: float | None = None,
        tau: float = 3.0,
    ) -> None:
        super().__init__()
        if kind not in ("soft", "hard"):
            raise UserError(f"Distillation: kind={kind!r} is neither 'soft' nor 'hard'")
        self.kind = kind
        self.weight = {"hard": 0.5, "soft": 0.1}[kind] if weight is None else weight
        self.tau = tau
        if not 0 <= self.weight <= 1 or tau <= 0:
            raise UserError(
                f"Distillation: weight={weight} must lie between 0 and 1, and tau={tau} above 0"
            )
        self._teacher = (teacher,)  # in a tuple, where torch does not take it for a submodule

    @property
    def teacher(self) -> nn.Module:
        """The teacher, built and loaded when training first asks for it."""
        if isinstance(self._teacher[0], dict):
            teacher = MODELS.build(self._teacher[0])
            if hasattr(teacher, "init_weights"):
                teacher.init_weights()
            self._teacher = (teacher.eval().requires_grad_(False),)
        return self._teacher[0]

    def forward(self, label_loss: Tensor, student: Tensor, images: Tensor) -> Tensor:
        """Compute the loss to be minimized.

        Args:
            label_loss: scalar, the student's loss on labels.
            student: logits (B, K) of what learns from the teacher.
            images: (B, 3, H, W), what the student saw.

        Raises:
            UserError: teacher and student know different numbers of classes.
        """
        with torch.no_grad():
            teacher = self.teacher.to(images.device)(images).float()
        if teacher.shape != student.shape:
            raise UserError(
                f"Distillation: the teacher gives {list(teacher.shape)} logits, the student "
                f"{list(student.shape)}; both need the same classes"
            )
        if self.kind == "hard":
            loss = hard_distillation_loss(student, teacher)
        else:
            loss = soft_distillation_loss(student, teacher, self.tau)
        return (1 - self.weight) * label_loss + self.weight * loss
