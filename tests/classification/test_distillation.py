import pytest
import torch
from torch import nn

from vitdet.classification.distillation import (
    Distillation,
    hard_distillation_loss,
    soft_distillation_loss,
)
from vitdet.errors import UserError


class Teacher(nn.Module):
    def __init__(self, num_classes: int = 4) -> None:
        super().__init__()
        self.head = nn.Linear(3, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.mean((2, 3)))


def test_soft_loss_is_the_papers_equation() -> None:
    student, teacher = torch.randn(2, 5, 4, dtype=torch.float64).unbind()
    p, q = (teacher / 3).softmax(-1), (student / 3).softmax(-1)
    expected = 9 * (p * (p.log() - q.log())).sum(-1).mean()
    torch.testing.assert_close(soft_distillation_loss(student, teacher, 3.0), expected)
    assert soft_distillation_loss(student, student, 3.0).abs() < 1e-12


def test_hard_loss_takes_the_teachers_decision_as_label() -> None:
    student, teacher = torch.randn(2, 5, 4).unbind()
    expected = -student.log_softmax(-1)[torch.arange(5), teacher.argmax(-1)].mean()
    torch.testing.assert_close(hard_distillation_loss(student, teacher), expected)


@pytest.mark.parametrize(("kind", "weight"), [("soft", 0.1), ("hard", 0.5)])
def test_weights_are_the_papers(kind: str, weight: float) -> None:
    teacher, images, student = Teacher(), torch.randn(2, 3, 8, 8), torch.randn(2, 4)
    distillation = Distillation(teacher, kind)
    logits = teacher(images)
    loss = (
        soft_distillation_loss(student, logits, 3.0)
        if kind == "soft"
        else hard_distillation_loss(student, logits)
    )
    expected = (1 - weight) * 2.0 + weight * loss
    torch.testing.assert_close(distillation(torch.tensor(2.0), student, images), expected)


def test_the_teacher_is_built_when_training_asks_for_it() -> None:
    distillation = Distillation(dict(type=Teacher))
    assert not list(distillation.modules())[1:] and not distillation.state_dict()
    loss = distillation(torch.tensor(1.0), torch.randn(2, 4), torch.randn(2, 3, 8, 8))
    assert loss.isfinite() and not distillation.teacher.training
    assert not any(p.requires_grad for p in distillation.teacher.parameters())
    assert not list(distillation.parameters())


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="kind='mild'"):
        Distillation(Teacher(), "mild")
    with pytest.raises(UserError, match="weight=2"):
        Distillation(Teacher(), weight=2)
    with pytest.raises(UserError, match=r"\[2, 4\] logits, the student \[2, 7\]"):
        Distillation(Teacher())(torch.tensor(1.0), torch.randn(2, 7), torch.randn(2, 3, 8, 8))
