import json
from pathlib import Path

import pytest
import torch

from vitdet.errors import UserError
from vitdet.evaluation import Accuracy


def scored(metric: Accuracy, scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    metric.dataset_meta = {"classes": [f"class {k}" for k in range(scores.shape[1])]}
    samples = [
        dict(img_path=f"{i}.jpg", gt_label=label, pred_scores=one)
        for i, (one, label) in enumerate(zip(scores, labels, strict=True))
    ]
    metric.process({}, samples[:4])
    metric.process({}, samples[4:])
    return metric.evaluate(len(samples))


def test_counts_what_counting_by_hand_does() -> None:
    torch.manual_seed(0)
    scores, labels = torch.randn(50, 8).softmax(-1), torch.randint(8, (50,))
    order = scores.argsort(dim=1, descending=True)
    metrics = scored(Accuracy(), scores, labels)
    for k in (1, 5):
        right = sum(
            int(label) in row[:k].tolist() for row, label in zip(order, labels, strict=True)
        )
        assert metrics[f"accuracy/top{k}"] == pytest.approx(right / 50)


def test_fewer_classes_than_k() -> None:
    metrics = scored(Accuracy((1, 5)), torch.eye(3).repeat(2, 1), torch.tensor([0, 1, 2, 0, 0, 0]))
    assert metrics == {"accuracy/top1": pytest.approx(4 / 6), "accuracy/top5": 1.0}


def test_predictions_are_written(tmp_path: Path) -> None:
    metric = Accuracy((2,), outfile_prefix=str(tmp_path / "new" / "results"))
    scored(metric, torch.tensor([[0.1, 0.7, 0.2]]), torch.tensor([1]))
    (entry,) = json.loads((tmp_path / "new" / "results.classes.json").read_text())
    assert entry["image"] == "0.jpg" and entry["classes"] == ["class 1", "class 2"]
    assert entry["scores"] == pytest.approx([0.7, 0.2])


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="topk"):
        Accuracy((0,))
