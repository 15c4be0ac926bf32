"""Predictions drawn beside the ground truth: after a training, and for `test.py --show-dir`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from PIL import Image

from vitdet.datasets.images import image_of
from vitdet.inference import Prediction, Predictor, to_prediction
from vitdet.visualization.grid import image_grid
from vitdet.visualization.ground_truth import draw_ground_truth

SCORE_THRESHOLD = 0.3  # what is drawn; evaluation sees everything
_TITLES = ("ground truth", "prediction")


class DrawPredictions(Hook):
    """Writes one picture per test image into `folder`: ground truth left, prediction right."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def before_test(self, runner: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        dataset = runner.test_dataloader.dataset
        self._index = {dataset.get_data_info(i)["img_id"]: i for i in range(len(dataset))}

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] = ()
    ) -> None:
        dataset = runner.test_dataloader.dataset
        for sample in outputs:
            data_info = dataset.get_data_info(self._index[sample.img_id])
            prediction = to_prediction(
                sample, dataset.metainfo["classes"], source=image_of(data_info)
            )
            pair = _side_by_side(dataset, data_info, prediction)
            height, width = prediction.image_size
            picture = image_grid([pair], titles=_TITLES, cell_size=(max(width, 320), height))
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
        rows.append(_side_by_side(dataset, data_info, prediction))
    image_grid(rows, titles=_TITLES).save(target)


def _side_by_side(
    dataset: BaseDataset, data_info: dict[str, Any], prediction: Prediction
) -> list[Image.Image]:
    # Small images are enlarged, or their labels could not be read.
    scale = max(1, 320 / prediction.image_size[1])
    return [
        draw_ground_truth(data_info, dataset.metainfo["classes"], scale=scale),
        prediction.filter(SCORE_THRESHOLD).draw(scale=scale),
    ]
