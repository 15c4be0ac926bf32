"""COCO's metric for the val and test evaluators of a config."""

import json
import math
from collections import UserDict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from vitdet.datasets.coco_files import class_ids, read_coco
from vitdet.datasets.freed_memory import return_freed_memory
from vitdet.errors import UserError
from vitdet.evaluation.coco_backends import Backend
from vitdet.evaluation.coco_detections import Detections, IoUType
from vitdet.evaluation.coco_image_matching import ImageMatcher
from vitdet.evaluation.coco_record import CocoRecord, found_objects
from vitdet.evaluation.coco_scores import CocoScores, IoUScores, evaluate_coco, evaluate_matched
from vitdet.evaluation.coco_table import class_table, summary_table
from vitdet.evaluation.packed_truth import PackedTruth
from vitdet.evaluation.rle import encode_masks
from vitdet.evaluation.side_process import SideProcess
from vitdet.registry import METRICS

_KEYS = (
    *("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"),
    *("AR@1", "AR@10", "AR@100", "AR_s", "AR_m", "AR_l"),
)
_FEWEST_ASIDE = 500  # images; with fewer a side process starts longer than it saves
_IMAGES_AT_ONCE = 32  # handed over to it


@METRICS.register_module()
class CocoMetric(BaseMetric):
    """Box and mask AP by the COCO rules, in total and for each class.

    Reported under the names mmdet's users know, `coco/bbox_mAP`, `coco/segm_mAP_50` and so on, not
    rounded; -1 stands where the ground truth has no such object, as COCO has it. Label i of a
    prediction is class i of the data set's `metainfo["classes"]`, found in the annotation file by
    its name (mmdet's metric takes the order of the file instead, which swaps classes silently).

    `ann_file` is read, and the data set's classes are looked up in it, when the evaluator is built:
    before the first training step. Of many images detections are matched in a side process, while
    the model predicts the next. With `format_only` nothing is scored: predictions are only
    written, to `outfile_prefix` + `.bbox.json` and `.segm.json` in COCO's result format.
    After an evaluation `record` holds what a report needs of it, in the main process.
    `collect_device` and `prefix` are those of mmengine's `BaseMetric`.
    """

    default_prefix = "coco"

    def __init__(
        self,
        ann_file: str | Path,
        metric: IoUType | Sequence[IoUType] = ("bbox", "segm"),
        *,
        backend: Backend = "numpy",
        format_only: bool = False,
        outfile_prefix: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_types = (metric,) if isinstance(metric, str) else tuple(metric)
        unknown = set(self.iou_types) - {"bbox", "segm"}
        if unknown or not self.iou_types:
            raise UserError(f"CocoMetric: metric={metric!r}, expected 'bbox', 'segm' or both")
        if format_only and outfile_prefix is None:
            raise UserError("CocoMetric: format_only=True needs outfile_prefix, where to write")
        self.ann_file = ann_file
        self.backend = backend
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self.record: CocoRecord | None = None
        content = read_coco(ann_file)
        if not format_only and not content["annotations"]:
            raise UserError(f"{ann_file} has no annotations: there is nothing to evaluate against")
        self._ground_truth = PackedTruth(content)
        is_large = self._ground_truth.num_images >= _FEWEST_ASIDE
        self._matches_aside = is_large and backend == "numpy" and not format_only
        self._side: SideProcess | None = None
        self._failure: str | None = None
        self._num_handed_over = 0
        del content
        return_freed_memory()  # before loader workers are forked

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the data set; its `classes` are looked up in the annotation file."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        self._category_ids = class_ids(
            self._ground_truth.unpack(), classes=dataset_meta["classes"], source=self.ann_file
        )
        self._dataset_meta = dataset_meta

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep the predictions of one batch, on the CPU and with masks run-length coded.

        A sample is a `DetDataSample` as a dict: `img_id` and, in `pred_instances`, `bboxes`: (N, 4)
        xyxy pixels of the original image, `scores`: (N,), `labels`: (N,) and, where masks are
        evaluated, `masks`: (N, H, W) or N run-length codes, with `mask_scores`: (N,) if the model
        scores them apart.
        """
        for sample in data_samples:
            predicted = sample["pred_instances"]
            # No dict: into these mmengine looks for tensors, run length by run length.
            result = UserDict({"image_id": sample["img_id"], **_columns(predicted)})
            if "segm" in self.iou_types:
                if "masks" not in predicted:
                    raise UserError(
                        "CocoMetric: metric has 'segm' but the model predicts no masks; "
                        "set metric='bbox'"
                    )
                masks = predicted["masks"]
                result["masks"] = masks if isinstance(masks, list) else encode_masks(masks)
            self.results.append(result)
        self._hand_over(_IMAGES_AT_ONCE)

    def evaluate(self, size: int) -> dict[str, float]:
        """As mmengine's, with what the side process has found about this process's images."""
        self._take_matches()
        return super().evaluate(size)

    def compute_metrics(self, results: list[Mapping[str, Any]]) -> dict[str, float]:
        """Score all predictions, log the tables, and return the numbers by name."""
        logger = MMLogger.get_current_instance()
        if self.outfile_prefix is not None:
            self._write(self._detections(results).dicts())
        if self.format_only:
            return {}
        self._warn(logger, len(results), sum(len(one["scores"]) for one in results))
        scores = self._scores(results)
        logger.info(f"COCO evaluation\n{class_table(scores)}\n{summary_table(scores)}")
        self.record = CocoRecord(
            scores, self._ground_truth, self._category_ids, [found_objects(one) for one in results]
        )
        metrics = {}
        for iou_type in self.iou_types:
            metrics |= _named(iou_type, getattr(scores, iou_type))
        return metrics

    def _hand_over(self, fewest: int) -> None:
        """Let the side process have what it has not, where that is of `fewest` images."""
        if self._matches_aside and self._side is None:
            arguments = (self._ground_truth, list(self._category_ids), self.iou_types)
            try:
                self._side = SideProcess(partial(ImageMatcher, *arguments))
            except OSError:  # no room for a process
                self._matches_aside = False
            self._num_handed_over = 0
        if self._side is None:
            return
        results = self.results[self._num_handed_over :]
        if len(results) >= fewest:
            self._side.put(results)
            self._num_handed_over += len(results)

    def _take_matches(self) -> None:
        """Add to each result what became of it; where that fails, all is done here, as before."""
        if self._side is None:
            return
        self._hand_over(1)
        side, self._side = self._side, None
        try:
            matched = [one for part in side.results() for one in part]
        except RuntimeError as error:
            self._failure = str(error).strip().splitlines()[-1]
            return
        for result, one in zip(self.results, matched, strict=True):
            result["matched"] = one

    def _scores(self, results: Sequence[Mapping[str, Any]]) -> CocoScores:
        classes = list(self._category_ids)
        matched = {one["image_id"]: one.get("matched") for one in results}
        if len(matched) == len(results) and matched and all(matched.values()):
            return evaluate_matched(self._ground_truth.unpack(), matched, classes=classes)
        scores = evaluate_coco(
            self._ground_truth.unpack(),
            self._detections(results),
            iou_types=self.iou_types,
            backend=self.backend,
            classes=classes,
        )
        if self._failure is not None:  # else it was the data's, and has been told
            MMLogger.get_current_instance().warning(
                f"the evaluation's side process failed ({self._failure}): it was done without, "
                "which takes longer"
            )
            self._failure = None
        return scores

    def _detections(self, results: Sequence[Mapping[str, Any]]) -> Detections:
        return Detections.from_results(results, list(self._category_ids.values()))

    def _write(self, detections: list[dict[str, Any]]) -> None:
        Path(self.outfile_prefix).parent.mkdir(parents=True, exist_ok=True)
        for iou_type in self.iou_types:
            entries = []
            for detection in detections:
                entry = {key: detection[key] for key in ("image_id", "category_id", "bbox")}
                entry["score"] = detection["score"]
                if iou_type == "segm":
                    entry["score"] = detection.get("mask_score", detection["score"])
                    entry["segmentation"] = detection["segmentation"]
                entries.append(entry)
            Path(f"{self.outfile_prefix}.{iou_type}.json").write_text(json.dumps(entries))

    def _warn(self, logger: MMLogger, num_seen: int, num_detections: int) -> None:
        """Say what makes every number low although nothing fails."""
        num_images = self._ground_truth.num_images
        if not num_detections:
            logger.warning(
                f"the model predicted nothing at all on {num_seen} images, so every score is 0: "
                "too early in training, weights that were not loaded, or a score threshold too high"
            )
        if num_seen < num_images:
            logger.warning(
                f"predictions for {num_seen} of the {num_images} images of {self.ann_file}; the "
                "others count as images where nothing was found"
            )


def _columns(predicted: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Boxes, scores and labels as arrays, brought from the device in one copy."""
    scores = [key for key in ("scores", "mask_scores") if key in predicted]
    parts = [predicted["bboxes"], *(predicted[key][:, None] for key in (*scores, "labels"))]
    dtype = torch.promote_types(parts[0].dtype, torch.float32)  # holds any label
    table = torch.cat([part.to(dtype) for part in parts], dim=1).cpu().numpy()
    columns = {key: table[:, 4 + k] for k, key in enumerate(scores)}
    return {"boxes": table[:, :4], **columns, "labels": table[:, -1].astype(np.int64)}


def _named(iou_type: str, scores: IoUScores) -> dict[str, float]:
    return {
        f"{iou_type}_{key}": -1.0 if math.isnan(value) else value
        for key, value in zip(_KEYS, scores.stats, strict=True)
    }
