"""Predictions drawn beside the ground truth: after a training, and for `test.py --show-dir`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.structures import BaseDataElement
from PIL import Image

from vitdet.datasets.images import image_of
from vitdet.evaluation.coco_record import SHOWN_SCORE
from vitdet.inference import Predictor
from vitdet.inference.prediction import Prediction
from vitdet.inference.torch_predictor import to_prediction
from vitdet.visualization.grid import image_grid
from vitdet.visualization.ground_truth import draw_ground_truth
from vitdet.visualization.semantic import class_colours, draw_legend, legend_entries, tint

_TITLES = ("ground truth", "prediction")
_SEMANTIC_TITLES = ("image", *_TITLES, "classes")
_CELL_SIZE = (480, 360)


class DrawPredictions(Hook):
    """Writes one picture per test image into `folder`: ground truth left, prediction right."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def before_test(self, runner: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        dataset = runner.test_dataloader.dataset
        self._colours = class_colours(dataset.metainfo)
        self._index = {_key(dataset.get_data_info(i)): i for i in range(len(dataset))}

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] = ()
    ) -> None:
        dataset = runner.test_dataloader.dataset
        for sample in outputs:
            data_info = dataset.get_data_info(self._index[_key(sample.metainfo)])
            prediction = to_prediction(
                sample,
                dataset.metainfo["classes"],
                colours=self._colours,
                source=image_of(data_info),
            )
            height, width = prediction.image_size
            cell_size = (max(width, 320), height)
            row = _side_by_side(dataset, data_info, prediction, sample, cell_size=cell_size)
            picture = image_grid([row], titles=_titles(row), cell_size=cell_size)
            name = Path(data_info["img_path"] or f"{sample.img_id:05d}").stem
            picture.save(self.folder / f"{name}.png")


def draw_sample_sheet(
    dataset: BaseDataset, checkpoint: Path, target: Path, *, num_images: int = 6, device: str
) -> None:
    """Draw what `checkpoint` finds in the first images of `dataset` into one picture, `target`."""
    predictor = Predictor(checkpoint, device)
    rows = []
    for index in range(min(num_images, len(dataset))):
        data_info = dataset.get_data_info(index)
        (prediction,) = predictor(image_of(data_info))
        sample = dataset[index]["data_samples"] if prediction.is_semantic else None
        rows.append(_side_by_side(dataset, data_info, prediction, sample, cell_size=_CELL_SIZE))
    image_grid(rows, titles=_titles(rows[0]), cell_size=_CELL_SIZE).save(target)


def _key(info: Mapping[str, Any]) -> Any:
    """What tells one item of a data set from another; mmseg's have no number."""
    return info["img_id"] if "img_id" in info else info["img_path"]


def _titles(row: Sequence[Image.Image]) -> Sequence[str]:
    return _SEMANTIC_TITLES if len(row) == len(_SEMANTIC_TITLES) else _TITLES


def _side_by_side(
    dataset: BaseDataset,
    data_info: dict[str, Any],
    prediction: Prediction,
    sample: BaseDataElement | None,
    *,
    cell_size: tuple[int, int],
) -> list[Image.Image]:
    """The pictures of a row. `sample` carries the labels of pixels, if the data set has them."""
    # Small images are enlarged, or their labels could not be read.
    scale = max(1, 320 / prediction.image_size[1])
    if prediction.is_semantic:
        return _maps_side_by_side(prediction, sample, scale=scale, cell_size=cell_size)
    return [
        draw_ground_truth(data_info, dataset.metainfo["classes"], scale=scale),
        prediction.filter(SHOWN_SCORE).draw(scale=scale),
    ]


def _maps_side_by_side(
    prediction: Prediction,
    sample: BaseDataElement,
    *,
    scale: float,
    cell_size: tuple[int, int],
) -> list[Image.Image]:
    """Image, labels, prediction and one legend for both."""
    unlabelled = np.full(prediction.image_size, -1)
    truth = unlabelled
    if "gt_sem_seg" in sample:
        truth = sample.gt_sem_seg.data[0].cpu().numpy()
    pixels, found, colours = prediction.pixels(), prediction.semantic, prediction.colours
    entries = legend_entries([truth, found], prediction.class_names, colours)
    return [
        *(tint(pixels, one, colours, scale=scale) for one in (unlabelled, truth, found)),
        draw_legend(entries, cell_size),
    ]
