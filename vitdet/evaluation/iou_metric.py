"""Metric of semantic segmentation for the val and test evaluators of a config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from PIL import Image
from torch import Tensor

from vitdet.errors import UserError
from vitdet.evaluation.area_scores import IOU_METRICS, class_scores
from vitdet.evaluation.class_areas import areas_of, count_pixels
from vitdet.evaluation.iou_table import class_table
from vitdet.registry import METRICS


@dataclass(frozen=True, eq=False)
class IoURecord:
    """What an evaluation leaves behind for a report.

    Attributes:
        class_scores: by name, such as "IoU": (K,) percent, NaN where undefined.
        true_pixels: (K,) int64.
        table: (K, K) int64, pixels of true x predicted class; None of several processes, each of
            which has counted its own images only.
    """

    classes: tuple[str, ...]
    class_scores: Mapping[str, np.ndarray]
    true_pixels: np.ndarray
    table: np.ndarray | None


@METRICS.register_module()
class IoUMetric(BaseMetric):
    """Mean IoU, accuracy, dice and F-score of label maps, in total and for each class.

    Takes the place of mmseg's, with its parameters and names: `aAcc`, `mIoU`, `mAcc`, `mDice`,
    `mFscore`, `mPrecision`, `mRecall`, in percent, but not rounded. Pixels are counted as integers,
    image by image, so that no split into batches or processes changes a digit.

    `aAcc` is the share of pixels that are right. The others are means over classes of the scores
    that `class_scores` gives. A class in no label map enters mIoU and mDice with 0 as soon as one
    pixel is predicted as it, and is left out otherwise; mAcc, mFscore and mRecall leave it out;
    mPrecision leaves out what is nowhere predicted. The table in the log lists such classes. After
    an evaluation `record` holds what a report needs of it, in the main process.

    Args:
        ignore_index: label whose pixels do not count.
        iou_metrics: one or several of "mIoU", "mDice" and "mFscore".
        nan_to_num: percent that a class enters a mean with where it would be left out.
        beta: how much more recall weighs than precision in the F-score.
        output_dir: predictions are written there as index PNGs named after the images, raised by 1
            where the data set lowers its labels by 1 (`reduce_zero_label`), as benchmarks ask.
        format_only: score nothing, only write; label maps are not needed.
        collect_device: of mmengine's `BaseMetric`, as is `prefix`.
    """

    default_prefix = ""

    def __init__(
        self,
        ignore_index: int = 255,
        iou_metrics: str | Sequence[str] = ("mIoU",),
        *,
        nan_to_num: float | None = None,
        beta: float = 1,
        output_dir: str | Path | None = None,
        format_only: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.metrics = (iou_metrics,) if isinstance(iou_metrics, str) else tuple(iou_metrics)
        if not self.metrics or set(self.metrics) - set(IOU_METRICS):
            names = ", ".join(IOU_METRICS)
            raise UserError(f"IoUMetric: iou_metrics={iou_metrics!r}, expected some of {names}")
        if format_only and output_dir is None:
            raise UserError("IoUMetric: format_only=True needs output_dir, where to write")
        self.ignore_index = ignore_index
        self.nan_to_num = nan_to_num
        self.beta = beta
        self.output_dir = output_dir
        self.format_only = format_only
        self.record: IoURecord | None = None
        self._table: Tensor | None = None  # of all images so far

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count the areas of one batch: all that is kept of an image is (3, K) int64.

        A sample is a `SegDataSample` as a dict, with `pred_sem_seg` and `gt_sem_seg`, whose `data`
        is (1, H, W) or (H, W), at the size of the label map.
        """
        for sample in data_samples:
            predicted = sample["pred_sem_seg"]["data"].flatten(0, -2)
            if self.output_dir is not None:
                self._write(predicted, sample)
            if self.format_only:
                self.results.append(None)
                continue
            table = self._count(predicted, sample)
            self._table = self._table + table if self.results else table
            self.results.append(areas_of(table))

    def _count(self, predicted: Tensor, sample: Mapping[str, Any]) -> Tensor:
        name = sample.get("seg_map_path") or sample.get("img_path") or "an image"
        if "gt_sem_seg" not in sample:
            raise UserError(
                f"IoUMetric: {name} comes without a label map; give the data set its labels, or "
                "write predictions alone with format_only=True and output_dir"
            )
        truth = sample["gt_sem_seg"]["data"].flatten(0, -2).to(predicted.device)
        num_classes = len(self.dataset_meta["classes"])
        try:
            return count_pixels(
                predicted, truth, num_classes=num_classes, ignore_index=self.ignore_index
            )
        except UserError as error:
            raise UserError(f"{name}: {error}") from error

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Add the areas of all images, log the table, and return the means by name."""
        logger = MMLogger.get_current_instance()
        if self.format_only:
            logger.info(f"predictions are written to {self.output_dir}")
            return {}
        areas = torch.stack(results)
        total = areas.sum(0)
        if not total[2].any():
            raise UserError(
                f"IoUMetric: every pixel of all {len(areas)} label maps is "
                f"ignore_index={self.ignore_index}; there is nothing to evaluate against"
            )
        scores = class_scores(total, self.metrics, beta=self.beta)
        scores = {name: 100 * values for name, values in scores.items()}
        if self.nan_to_num is not None:
            scores = {name: values.nan_to_num(self.nan_to_num) for name, values in scores.items()}
        counted_here = self._table is not None and areas_of(self._table).equal(total)
        self.record = IoURecord(
            tuple(self.dataset_meta["classes"]),
            {name: values.numpy() for name, values in scores.items()},
            total[2].numpy(),
            self._table.numpy() if counted_here else None,
        )
        correct, _, true = total.sum(1).tolist()
        metrics = {"aAcc": 100 * correct / true}
        metrics |= {f"m{name}": float(values.nanmean()) for name, values in scores.items()}
        table = class_table(areas, scores, classes=self.dataset_meta["classes"])
        totals = ", ".join(f"{name} {value:.2f}" for name, value in metrics.items())
        logger.info(f"semantic segmentation\n{table}\n{len(areas)} images: {totals}")
        return metrics

    def _write(self, predicted: Tensor, sample: Mapping[str, Any]) -> None:
        labels = predicted.cpu().numpy() + bool(sample.get("reduce_zero_label"))
        has_bytes = len(self.dataset_meta["classes"]) < 256
        folder = Path(self.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(labels.astype(np.uint8 if has_bytes else np.uint16))
        image.save(folder / f"{Path(sample['img_path']).stem}.png")
