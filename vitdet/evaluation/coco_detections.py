"""Detections of all images as columns: what COCO's evaluation works on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vitdet.errors import UserError

IoUType = Literal["bbox", "segm"]

_NEEDED = {"bbox": "bbox", "segm": "segmentation"}


@dataclass(frozen=True, eq=False)
class Detections:
    """Columns of N detections.

    Attributes:
        image_ids: of the images that have any, each once.
        images: (N,) places in `image_ids`.
        category_ids: (N,) of the ground truth.
        scores: (N,) of the boxes.
        mask_scores: (N,) by which masks are ranked.
        boxes: (N, 4) x, y, width, height in pixels; None where none was asked for.
        codes: N run-length codes, or None.
        lacking: `bbox` and `segmentation`, where one is missing: the id of an image without.
    """

    image_ids: Sequence[Any]
    images: np.ndarray
    category_ids: np.ndarray
    scores: np.ndarray
    mask_scores: np.ndarray
    boxes: np.ndarray | None
    codes: Sequence[dict[str, Any]] | None
    lacking: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def from_dicts(cls, dicts: Sequence[Mapping[str, Any]]) -> "Detections":
        """Of entries in COCO's result format; a `mask_score` replaces `score` for masks."""
        places: dict[Any, int] = {}
        images = [places.setdefault(one["image_id"], len(places)) for one in dicts]
        scores = [float(one["score"]) for one in dicts]
        lacking = {
            key: one["image_id"] for key in _NEEDED.values() for one in dicts if key not in one
        }
        boxes = None if "bbox" in lacking else [one["bbox"] for one in dicts]
        return cls(
            list(places),
            np.array(images, dtype=np.int64),
            np.array([one["category_id"] for one in dicts], dtype=object),
            np.array(scores),
            np.array([float(one.get("mask_score", one["score"])) for one in dicts]),
            None if boxes is None else np.array(boxes, dtype=np.float64).reshape(-1, 4),
            None if "segmentation" in lacking else [one["segmentation"] for one in dicts],
            lacking,
        )

    @classmethod
    def from_results(
        cls, results: Sequence[Mapping[str, Any]], category_ids: Sequence[int]
    ) -> "Detections":
        """Of what `CocoMetric` keeps of each image; `category_ids` are those of the labels."""
        counts = [len(one["scores"]) for one in results]

        def column(key: str, default: str = "") -> np.ndarray:
            parts = [one[key if key in one else default] for one in results]
            return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)

        corners = column("boxes").reshape(-1, 4)
        has_masks = all("masks" in one for one in results)
        places: dict[Any, int] = {}
        images = [places.setdefault(one["image_id"], len(places)) for one in results]
        return cls(
            list(places),
            np.repeat(np.array(images, dtype=np.int64), counts),
            np.array(category_ids, dtype=np.int64)[column("labels").astype(np.int64)],
            column("scores"),
            column("mask_scores", "scores"),
            np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
            [_as_text(code) for one in results for code in one["masks"]] if has_masks else None,
            {} if has_masks else {"segmentation": None},
        )

    def dicts(self) -> list[dict[str, Any]]:
        """In COCO's result format."""
        entries = []
        masks = np.any(self.mask_scores != self.scores)
        for k, image in enumerate(self.images.tolist()):
            entry = {
                "image_id": self.image_ids[image],
                "category_id": int(self.category_ids[k]),
                "score": float(self.scores[k]),
            }
            if self.boxes is not None:
                entry["bbox"] = self.boxes[k].tolist()
            if self.codes is not None:
                entry["segmentation"] = self.codes[k]
            if masks:
                entry["mask_score"] = float(self.mask_scores[k])
            entries.append(entry)
        return entries

    def check(self, iou_type: str) -> None:
        """Raises UserError where there is nothing to compare by `iou_type`."""
        key = _NEEDED[iou_type]
        if key in self.lacking:
            raise UserError(
                f"iou type {iou_type!r} needs detections with {key!r}, and one on image "
                f"{self.lacking[key]} has none; ask for the other type only"
            )

    def among(
        self, image_numbers: Mapping[Any, int], category_ids: Collection[int]
    ) -> "Detections":
        """Those of some categories; `images` are then `image_numbers`."""
        numbers = np.array([image_numbers[one] for one in self.image_ids], dtype=np.int64)
        rows = np.flatnonzero(np.isin(self.category_ids.astype(np.int64), list(category_ids)))
        return Detections(
            list(image_numbers),
            numbers[self.images[rows]],
            self.category_ids[rows].astype(np.int64),
            self.scores[rows],
            self.mask_scores[rows],
            None if self.boxes is None else self.boxes[rows],
            None if self.codes is None else [self.codes[row] for row in rows.tolist()],
            self.lacking,
        )


def _as_text(code: dict[str, Any]) -> dict[str, Any]:
    """A run-length code as json can hold it: some heads hand over bytes."""
    counts = code["counts"]
    return {**code, "counts": counts.decode("ascii")} if isinstance(counts, bytes) else code
