"""What is found in a photo as json, and its schema."""

from collections.abc import Iterator

import cv2
import numpy as np
from pydantic import BaseModel, Field

from vitdet.evaluation.rle import encode_masks
from vitdet.inference import Prediction


class Mask(BaseModel):
    """Pixels of the photo in COCO's run-length code, as pycocotools decodes it."""

    size: tuple[int, int] = Field(description="height and width of the photo")
    counts: str = Field(description="lengths of runs, column by column, in COCO's letters")


class Found(BaseModel):
    """An object."""

    label: str
    score: float = Field(description="0 to 1")
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 in pixels")
    mask: Mask | None = Field(default=None, description="if the model finds masks")


class Segment(BaseModel):
    """All pixels of a class, or of one thing in a panoptic map."""

    label: str
    share: float = Field(description="of the photo's pixels, 0 to 1")
    mask: Mask


class Answer(BaseModel):
    """What was found in a photo, as it stands upright."""

    width: int
    height: int
    objects: list[Found] = Field(description="best score first")
    segments: list[Segment] = Field(description="of models that give each pixel a class")
    seconds: float = Field(default=0, description="from the photo's arrival to this answer")


class Problem(BaseModel):
    """Why a request was not answered."""

    error: str


def answer_of(prediction: Prediction, size: tuple[int, int], *, with_masks: bool = True) -> Answer:
    """The answer for a photo of `size` (H, W), which the prediction's image may be smaller than."""
    height, width = size
    factors = np.array([width, height] * 2) / np.array([*prediction.image_size[::-1]] * 2)
    boxes = (prediction.boxes * factors).round(2)
    masks: Iterator[Mask | None] = iter([None] * len(boxes))
    if with_masks and prediction.masks is not None:
        masks = (_mask(one, size) for one in prediction.masks)
    names = prediction.class_names
    objects = [
        Found(label=names[label], score=round(score, 4), box=tuple(box), mask=mask)
        for label, score, box, mask in zip(
            prediction.labels.tolist(), prediction.scores.tolist(), boxes.tolist(), masks,
            strict=True,
        )
    ]  # fmt: skip
    segments = list(_segments(prediction, size)) if with_masks else []
    return Answer(width=width, height=height, objects=objects, segments=segments)


def _segments(prediction: Prediction, size: tuple[int, int]) -> Iterator[Segment]:
    labels, num_labels = prediction.semantic, len(prediction.class_names)
    if prediction.panoptic is not None:
        from vitdet.set_prediction.postprocess import INSTANCE_OFFSET  # brings torch along

        labels, num_labels = prediction.panoptic, INSTANCE_OFFSET
    if labels is None:
        return
    values, counts = np.unique(labels, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        label = value % num_labels
        if label < len(prediction.class_names):  # others are void
            yield Segment(
                label=prediction.class_names[label],
                share=round(count / labels.size, 4),
                mask=_mask(labels == value, size),
            )


def _mask(mask: np.ndarray, size: tuple[int, int]) -> Mask:
    """The code of (h, w) bool at `size` (H, W)."""
    if mask.shape != size:
        mask = cv2.resize(mask.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
    (code,) = encode_masks(mask[None])
    return Mask(**code)
