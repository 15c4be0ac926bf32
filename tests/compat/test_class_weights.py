"""Weights of classes beside ignored pixels, in mmseg's cross-entropy."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import CrossEntropyLoss

IGNORED = 255


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> torch.Tensor:
    labels = torch.randint(3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    labels[0, :2], labels[1, 3, 3:] = IGNORED, IGNORED
    return labels


def loss(logits, labels, weights: list[float] | None, **options) -> torch.Tensor:
    function = CrossEntropyLoss(class_weight=weights, **options)
    return function(logits, labels, ignore_index=IGNORED)


def test_without_the_ignored_it_is_torch_s(logits, labels) -> None:
    weights = [0.5, 2.0, 3.0]
    expected = F.cross_entropy(logits, labels, torch.tensor(weights), ignore_index=IGNORED)
    torch.testing.assert_close(loss(logits, labels, weights, avg_non_ignore=True), expected)


@pytest.mark.parametrize("avg_non_ignore", [True, False])
def test_equal_weights_change_nothing(logits, labels, avg_non_ignore: bool) -> None:
    expected = loss(logits, labels, None, avg_non_ignore=avg_non_ignore)
    for weight in (1.0, 7.0):
        weighted = loss(logits, labels, [weight] * 3, avg_non_ignore=avg_non_ignore)
        torch.testing.assert_close(weighted, expected)


def test_ignored_pixels_dilute_as_an_average_class(logits, labels) -> None:
    weights = torch.tensor([0.5, 2.0, 3.5])
    terms = F.cross_entropy(logits, labels, weights, ignore_index=IGNORED, reduction="sum")
    total = sum(2.0 if label == IGNORED else weights[label] for label in labels.flatten())
    torch.testing.assert_close(loss(logits, labels, weights.tolist()), terms / total)


def test_nothing_ignored_is_mmseg_s_own(logits) -> None:
    labels = torch.arange(40).view(2, 4, 5) % 3
    weights = torch.tensor([0.5, 2.0, 3.0])
    expected = F.cross_entropy(logits, labels, weights)
    torch.testing.assert_close(loss(logits, labels, weights.tolist()), expected)
