import numpy as np
import pytest
import torch

from vitdet.segmentors import ClassDiceLoss


@pytest.mark.parametrize("first_class", [0, 1])
def test_equals_sums_in_numpy(first_class: int) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, 5, 6))
    labels = rng.integers(0, 3, size=(2, 5, 6))  # class 3 is not there
    labels[0, 0] = 255
    exp = np.exp(logits)
    share = exp / exp.sum(axis=1, keepdims=True)
    kept = labels != 255
    scores = []
    for k in range(first_class, 4):
        predicted, true = share[:, k][kept], labels[kept] == k
        scores.append((2 * predicted[true].sum() + 1) / (predicted.sum() + true.sum() + 1))
    loss = ClassDiceLoss(loss_weight=3.0, first_class=first_class)
    result = loss(torch.from_numpy(logits), torch.from_numpy(labels), ignore_index=255)
    assert result.item() == pytest.approx(3 * (1 - np.mean(scores)), rel=1e-12)


def test_ignored_pixels_have_no_gradient_and_a_perfect_map_no_loss() -> None:
    labels = torch.tensor([[[0, 1], [2, 255]]])
    logits = (50.0 * torch.eye(3)[labels.clamp(max=2)]).permute(0, 3, 1, 2).requires_grad_()
    loss = ClassDiceLoss()(logits, labels)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert not logits.grad[..., 1, 1].any()
