"""Does an exported model say what torch says? Compared on the same pixels, object by object."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmseg.structures import SegDataSample
from torch import Tensor

from vitdet.datasets.images import read_image
from vitdet.datasets.shape_scene import lay_out, paint
from vitdet.errors import UserError
from vitdet.evaluation.mask_pasting import paste_masks
from vitdet.inference.exported_predictor import ExportedPredictor
from vitdet.inference.prediction import Prediction
from vitdet.inference.torch_predictor import TorchPredictor, to_prediction
from vitdet.segmentors import EncoderDecoder

SHOWN_SCORE = 0.05  # below it, what is last of an image may be one thing or another
_FEWEST = 20  # of an image are compared in any case


class Tolerance(NamedTuple):
    """By how much an exported model may differ.

    Attributes:
        pixels: between coordinates of boxes.
        scores: between scores.
        equal: share that has to be equal: of labels, of the pixels in boxes, of the classes of
            pixels.
        share: of an image's objects, which `pixels` and `scores` are for. Of two boxes with nearly
            equal scores rounding chooses which one suppresses the other.
    """

    pixels: float
    scores: float
    equal: float
    share: float


FULL = Tolerance(0.1, 1e-3, 0.999, 1.0)
HALF = Tolerance(1.0, 0.01, 0.95, 0.95)


@dataclass(frozen=True)
class Parity:
    """The largest differences.

    Attributes:
        num_images: compared.
        num_objects: compared, of detectors.
        pixels: between coordinates of boxes.
        scores: between scores.
        equal: share that is equal: of labels, of the pixels in boxes, of the classes of pixels.
        tolerance: what is let pass.
    """

    num_images: int
    num_objects: int
    pixels: float
    scores: float
    equal: float
    tolerance: Tolerance = FULL

    @property
    def holds(self) -> bool:
        most = self.tolerance
        return (
            self.pixels <= most.pixels and self.scores <= most.scores and self.equal >= most.equal
        )

    def __str__(self) -> str:
        equal = f"{self.equal:.2%} equal"
        if not self.num_objects:
            return f"classes of all pixels in {self.num_images} images as torch has them: {equal}"
        share = "" if self.tolerance.share == 1 else f"{self.tolerance.share:.0%} of "
        return (
            f"{self.num_objects} objects in {self.num_images} images as torch has them: {share}"
            f"boxes within {self.pixels:.2g} px, scores within {self.scores:.2g}, {equal}"
        )


def compare(
    exported: ExportedPredictor,
    reference: TorchPredictor,
    images: Sequence[Path | np.ndarray] = (),
    *,
    tolerance: Tolerance = FULL,
) -> Parity:
    """Compare an exported model with its checkpoint; without images on painted ones.

    Raises:
        UserError: they differ by more than `tolerance`.
    """
    images = images or painted()
    found = [_differences(exported, reference, image, tolerance) for image in images]
    parity = Parity(
        len(images),
        sum(one[0] for one in found),
        *(max(one[k] for one in found) for k in (1, 2)),
        min(one[3] for one in found),
        tolerance,
    )
    if not parity.holds:
        raise UserError(f"the exported file differs from torch: {parity}")
    return parity


def painted() -> list[np.ndarray]:
    """Two images, lying and standing."""
    rng = np.random.default_rng(0)
    pixels = [paint(lay_out(rng, 480), rng, 480) for _ in range(2)]
    return [pixels[0][:360], pixels[1][:, :400]]


def _differences(
    exported: ExportedPredictor,
    reference: TorchPredictor,
    image: Path | np.ndarray,
    tolerance: Tolerance,
) -> tuple[int, float, float, float]:
    """Objects compared; largest differences of boxes and scores; share of what is equal."""
    pixels, _ = exported.prepare(read_image(image) if isinstance(image, Path) else image)
    ours = exported.run(pixels[None])
    if exported.card.task == "segmentation":
        theirs = in_torch(reference, pixels).semantic
        return 0, 0.0, 0.0, float((ours["classes"][0] == theirs).mean())
    theirs = in_torch(reference, pixels)
    if not len(theirs.scores):
        return 0, 0.0, 0.0, 1.0
    shown = theirs.scores >= min(SHOWN_SCORE, theirs.scores[:_FEWEST][-1])
    if len(theirs.scores) == ours["scores"].shape[1]:  # no more are kept: who is last is a tie
        is_sure = shown & (theirs.scores > theirs.scores[-1] + tolerance.scores)
        shown = is_sure if is_sure.any() else shown
    boxes, scores, labels = theirs.boxes[shown], theirs.scores[shown], theirs.labels[shown]
    apart = np.abs(boxes[:, None] - ours["boxes"][0]).max(-1)  # (N, M)
    # Several may share a place, and even a score: then it is the one of the same class.
    apart += 1e3 * np.abs(scores[:, None] - ours["scores"][0])
    apart += tolerance.pixels / 2 * (labels[:, None] != ours["labels"][0])
    nearest = apart.argmin(-1)
    equal = float((labels == ours["labels"][0, nearest]).mean())
    if theirs.masks is not None:
        pasted = paste_masks(ours["masks"][0, nearest], ours["boxes"][0, nearest], pixels.shape[:2])
        area = (boxes[:, 2:] - boxes[:, :2]).prod(1).sum()
        equal = min(equal, 1 - float((pasted != theirs.masks[shown]).sum() / area))
    return (
        len(boxes),
        float(np.quantile(np.abs(boxes - ours["boxes"][0, nearest]).max(-1), tolerance.share)),
        float(np.quantile(np.abs(scores - ours["scores"][0, nearest]), tolerance.share)),
        equal,
    )


def in_torch(reference: TorchPredictor, pixels: np.ndarray) -> Prediction:
    """What the checkpoint's model, as it is trained and tested, finds in (H, W, 3) uint8 RGB."""
    sample_type = SegDataSample if isinstance(reference.model, EncoderDecoder) else DetDataSample
    size = pixels.shape[:2]
    meta = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    data = {"inputs": [_as_input(pixels)], "data_samples": [sample_type(metainfo=meta)]}
    with torch.inference_mode():
        (sample,) = reference.model.test_step(data)
    return to_prediction(sample, reference.class_names)


def _as_input(pixels: np.ndarray) -> Tensor:
    """(3, H, W) uint8 BGR, as data sets give images to the model's preprocessor."""
    return torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1)
