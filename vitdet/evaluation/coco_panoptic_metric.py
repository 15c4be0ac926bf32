"""COCO's panoptic metric for the val and test evaluators of a config."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from vitdet.datasets.panoptic_files import panoptic_classes, read_panoptic, read_segment_ids
from vitdet.errors import UserError
from vitdet.evaluation.panoptic_quality import (
    SegmentMatches,
    Segments,
    class_qualities,
    match_segments,
    mean_quality,
)
from vitdet.evaluation.panoptic_results import segments_of_map, write_panoptic_png
from vitdet.evaluation.panoptic_table import panoptic_table
from vitdet.registry import METRICS


@METRICS.register_module()
class CocoPanopticMetric(BaseMetric):
    """Panoptic quality by the COCO rules, in total, of things and of stuff.

    Reported in percent under the names mmdet's users know: `coco_panoptic/PQ`, `SQ`, `RQ`, with
    `_th` for things and `_st` for stuff; NaN where there is no such class. Label i of a prediction
    is class i of the data set's `metainfo["classes"]`, found in the annotation file by its name.

    Args:
        ann_file: panoptic annotations, read when the evaluator is built.
        seg_prefix: folder of their PNGs.
        classwise: whether the log has a row for each class.
        format_only: score nothing, only write the predictions.
        outfile_prefix: predictions are written to this + `.panoptic.json`, in COCO's format, and
            their PNGs into the folder this + `.panoptic`.
        collect_device, prefix: those of mmengine's `BaseMetric`.
    """

    default_prefix = "coco_panoptic"

    def __init__(
        self,
        ann_file: str | Path,
        seg_prefix: str | Path,
        *,
        classwise: bool = True,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and outfile_prefix is None:
            raise UserError("CocoPanopticMetric: format_only=True needs outfile_prefix")
        self.ann_file = ann_file
        self.seg_prefix = Path(seg_prefix)
        self.classwise = classwise
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self._ground_truth = read_panoptic(ann_file)
        self._annotations = {one["image_id"]: one for one in self._ground_truth["annotations"]}

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the data set; its `classes` are looked up in the annotation file."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        self._classes = panoptic_classes(
            self._ground_truth, classes=dataset_meta["classes"], source=self.ann_file
        )
        self._dataset_meta = dataset_meta

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Compare the predictions of one batch with the PNGs, and write them where asked to.

        A sample is a `DetDataSample` as a dict: `img_id` and, in `pred_panoptic_seg`, `sem_seg`:
        (1, H, W), class + 1000 * instance, in the size of the original image; a class that there
        is not where nothing was found.
        """
        for sample in data_samples:
            if "pred_panoptic_seg" not in sample:
                raise UserError(
                    "CocoPanopticMetric: the model predicts no panoptic segments; of a DETR set "
                    "with_masks=True, of others take another val_evaluator and test_evaluator"
                )
            panoptic = sample["pred_panoptic_seg"]["sem_seg"][0].cpu().numpy()
            found = segments_of_map(panoptic, len(self._classes.ids))
            result: dict[str, Any] = {"image_id": sample["img_id"]}
            if self.outfile_prefix is not None:
                result["annotation"] = self._write_png(found, sample)
            if not self.format_only:
                result["matches"] = match_segments(found, self._truth(sample["img_id"], found))
            self.results.append(result)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Add up all images, log the table, and return the numbers by name."""
        logger = MMLogger.get_current_instance()
        if self.outfile_prefix is not None:
            self._write_json([result["annotation"] for result in results])
        if self.format_only:
            return {}
        matches = [result["matches"] for result in results]
        matches += self._of_unseen({result["image_id"] for result in results}, logger)
        if not any(one.matched or one.spurious for one in matches):
            logger.warning(
                f"the model predicted no segment at all on {len(results)} images, so every score "
                "is 0: too early in training, or weights that were not loaded"
            )
        classes = class_qualities(matches, len(self._classes.ids))
        num_things = self._classes.num_things
        means = {
            "": mean_quality(classes),
            "_th": mean_quality(classes[:num_things]),
            "_st": mean_quality(classes[num_things:]),
        }
        named = dict(zip(self._classes.ids, classes, strict=True)) if self.classwise else {}
        logger.info(f"panoptic evaluation\n{panoptic_table(named, means)}")
        return {
            f"{name.upper()}{suffix}": 100 * getattr(mean, name)
            for suffix, mean in means.items()
            for name in ("pq", "sq", "rq")
        }

    def _truth(self, image_id: Any, found: Segments) -> Segments:
        """The annotated segments of an image."""
        annotation = self._annotations.get(image_id)
        if annotation is None:
            raise UserError(f"{self.ann_file} has no annotation of image {image_id}")
        path = self.seg_prefix / annotation["file_name"]
        ids = read_segment_ids(path)
        if ids.shape != found.ids.shape:
            raise UserError(
                f"{path} is {ids.shape[1]}x{ids.shape[0]}, but its image "
                f"{found.ids.shape[1]}x{found.ids.shape[0]}"
            )
        return Segments(ids, *self._labels(annotation))

    def _labels(self, annotation: Mapping[str, Any]) -> tuple[dict[int, int], frozenset[int]]:
        """Label of each segment of our classes by its id, and the ids of crowds."""
        label_of = {number: label for label, number in enumerate(self._classes.ids.values())}
        ours = [one for one in annotation["segments_info"] if one["category_id"] in label_of]
        labels = {one["id"]: label_of[one["category_id"]] for one in ours}
        return labels, frozenset(one["id"] for one in ours if one.get("iscrowd", 0))

    def _of_unseen(self, seen: set, logger: MMLogger) -> list[SegmentMatches]:
        """Images without a prediction: nothing was found there."""
        unseen = [one for number, one in self._annotations.items() if number not in seen]
        if unseen:
            logger.warning(
                f"predictions for {len(seen)} of the {len(self._annotations)} images of "
                f"{self.ann_file}; the others count as images where nothing was found"
            )
        matches = []
        for annotation in unseen:
            labels, crowds = self._labels(annotation)
            missed = [label for number, label in labels.items() if number not in crowds]
            matches.append(SegmentMatches(missed=missed))
        return matches

    def _write_png(self, found: Segments, sample: Mapping[str, Any]) -> dict[str, Any]:
        name = Path(sample.get("img_path") or str(sample["img_id"])).with_suffix(".png").name
        return write_panoptic_png(
            Path(f"{self.outfile_prefix}.panoptic") / name,
            found,
            image_id=sample["img_id"],
            category_ids=list(self._classes.ids.values()),
        )

    def _write_json(self, annotations: list[dict[str, Any]]) -> None:
        content = {"annotations": annotations, "categories": self._ground_truth["categories"]}
        Path(f"{self.outfile_prefix}.panoptic.json").write_text(json.dumps(content))
