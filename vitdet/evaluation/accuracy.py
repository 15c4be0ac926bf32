"""How often a classifier is right."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from vitdet.errors import UserError
from vitdet.registry import METRICS


@METRICS.register_module()
class Accuracy(BaseMetric):
    """Share of images, 0 to 1, whose class is among the k that the model scores highest.

    Reported as `accuracy/top1`, `accuracy/top5`; where there are fewer classes than k, as that of
    all of them. `collect_device` and `prefix` are those of mmengine's `BaseMetric`.

    Args:
        topk: the values of k.
        outfile_prefix: the images' labels and scores are written to this + `.classes.json`.
    """

    default_prefix = "accuracy"

    def __init__(
        self,
        topk: Sequence[int] = (1, 5),
        *,
        outfile_prefix: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not topk or min(topk) < 1:
            raise UserError(f"Accuracy: topk={topk}, expected numbers from 1 on")
        self.topk = tuple(topk)
        self.outfile_prefix = outfile_prefix

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the classes of one batch, best first.

        A sample is a `BaseDataElement` as a dict, with `gt_label` and `pred_scores`: (K,).
        """
        for sample in data_samples:
            scores = sample["pred_scores"]
            best = scores.topk(min(max(self.topk), len(scores)))
            self.results.append(
                {
                    "image": sample.get("img_path"),
                    "truth": int(sample["gt_label"]),
                    "labels": best.indices.cpu(),
                    "scores": best.values.cpu(),
                }
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Count, log the totals and the classes told worst, and return the totals by name."""
        if self.outfile_prefix is not None:
            self._write(results)
        truth = torch.tensor([result["truth"] for result in results])
        is_right = torch.stack([result["labels"] for result in results]) == truth[:, None]
        metrics = {f"top{k}": float(is_right[:, :k].any(1).double().mean()) for k in self.topk}
        by_class = {
            int(label): float(is_right[truth == label, 0].double().mean())
            for label in truth.unique()
        }
        names = self.dataset_meta["classes"]
        worst = ", ".join(
            f"{names[label]} {by_class[label]:.3f}"
            for label in sorted(by_class, key=by_class.get)[:5]
        )
        totals = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        MMLogger.get_current_instance().info(
            f"accuracy on {len(results)} images: {totals}; lowest top1 of a class: {worst}"
        )
        return metrics

    def _write(self, results: list[dict[str, Any]]) -> None:
        names = self.dataset_meta["classes"]
        entries = [
            {
                "image": result["image"],
                "classes": [names[label] for label in result["labels"].tolist()],
                "scores": result["scores"].tolist(),
            }
            for result in results
        ]
        path = Path(f"{self.outfile_prefix}.classes.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(entries))
