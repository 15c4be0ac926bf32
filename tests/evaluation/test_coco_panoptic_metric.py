"""The evaluator of panoptic maps: perfect ones score 100, and mistakes of a user are named."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, PixelData

from tests.panoptic_samples import SIZE, panoptic_folder
from vitdet.datasets.panoptic_files import panoptic_classes, read_panoptic, read_segment_ids
from vitdet.errors import UserError
from vitdet.evaluation import CocoPanopticMetric

NUM_IMAGES = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = panoptic_folder(tmp_path_factory.mktemp("data"), num_train=NUM_IMAGES, num_val=1)
    return root / "annotations"


def metric_of(folder: Path, **options: object) -> CocoPanopticMetric:
    return CocoPanopticMetric(
        folder / "panoptic_train2017.json", folder / "panoptic_train2017", **options
    )


def perfect(folder: Path, *, scale: int = 1) -> tuple[list[BaseDataElement], dict]:
    """What a model that knows the truth would return, and the data set's meta information."""
    content = read_panoptic(folder / "panoptic_train2017.json")
    classes = panoptic_classes(content)
    label_of = {number: label for label, number in enumerate(classes.ids.values())}
    samples = []
    for annotation in content["annotations"]:
        ids = torch.from_numpy(
            read_segment_ids(folder / "panoptic_train2017" / annotation["file_name"])
        )
        panoptic = torch.full(ids.shape, len(classes.ids))
        for number, one in enumerate(annotation["segments_info"], 1):
            label = label_of[one["category_id"]]
            instance = number if label < classes.num_things else 0
            panoptic[ids == one["id"]] = label + 1000 * instance
        sample = BaseDataElement(
            metainfo=dict(img_id=annotation["image_id"], img_path=annotation["file_name"])
        )
        sample.pred_panoptic_seg = PixelData(sem_seg=panoptic[None, ::scale])
        samples.append(sample)
    return samples, {"classes": tuple(classes.ids)}


def evaluate(
    metric: CocoPanopticMetric, samples: list[BaseDataElement], meta: dict, *, size: int = 1
) -> dict[str, float]:
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = meta
    for start in range(0, len(samples), size):
        evaluator.process(data_samples=samples[start : start + size])
    return evaluator.evaluate(len(samples))


def test_the_truth_scores_100(folder: Path) -> None:
    scores = evaluate(metric_of(folder), *perfect(folder))
    names = [f"{kind}{suffix}" for suffix in ("", "_th", "_st") for kind in ("PQ", "SQ", "RQ")]
    assert scores == {f"coco_panoptic/{name}": 100 for name in names}


def test_batches_and_order_change_nothing(folder: Path) -> None:
    samples, meta = perfect(folder)
    for sample in samples:
        sample.pred_panoptic_seg.sem_seg = sample.pred_panoptic_seg.sem_seg.roll(5, dims=2)
    scores = evaluate(metric_of(folder), samples, meta)
    assert 0 < scores["coco_panoptic/PQ"] < 100
    assert evaluate(metric_of(folder), samples[::-1], meta, size=3) == scores


def test_images_without_predictions_count_as_missed(folder: Path) -> None:
    samples, meta = perfect(folder)
    scores = evaluate(metric_of(folder), samples[:2], meta)
    assert scores["coco_panoptic/RQ_st"] == pytest.approx(100 * 2 / (2 + (NUM_IMAGES - 2) / 2))
    for sample in samples[2:]:
        sample.pred_panoptic_seg.sem_seg[:] = len(meta["classes"])
    assert evaluate(metric_of(folder), samples, meta) == scores


def test_what_is_written_scores_100_too(folder: Path, tmp_path: Path) -> None:
    """Results are themselves in the format that is read."""
    options = dict(format_only=True, outfile_prefix=str(tmp_path / "new" / "r"))
    samples, meta = perfect(folder)
    assert evaluate(metric_of(folder, **options), samples, meta) == {}
    written = read_written(tmp_path / "new")
    metric = CocoPanopticMetric(written, tmp_path / "new" / "r.panoptic")
    # Void of the truth is nobody's in the file, so that only crowds have become segments.
    assert evaluate(metric, samples, meta)["coco_panoptic/PQ"] == 100


def read_written(folder: Path) -> Path:
    """COCO's results leave the images out."""
    path = folder / "r.panoptic.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "images": []}))
    return path


def test_mistakes(folder: Path) -> None:
    samples, meta = perfect(folder)
    with pytest.raises(UserError, match="no category 'Leaf'"):
        evaluate(metric_of(folder), samples, {"classes": ("Leaf",)})
    with pytest.raises(UserError, match="predicts no panoptic segments; of a DETR set with_masks"):
        evaluate(metric_of(folder), [BaseDataElement(metainfo=dict(img_id=1))], meta)
    with pytest.raises(UserError, match=f"is {SIZE}x{SIZE}, but its image {SIZE}x{SIZE // 2}"):
        evaluate(metric_of(folder), *perfect(folder, scale=2))
    with pytest.raises(UserError, match="needs outfile_prefix"):
        metric_of(folder, format_only=True)
    with pytest.raises(UserError, match="number 0 of its categories lacks isthing"):
        path = folder.parent / "instances.json"
        path.write_text('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}')
        CocoPanopticMetric(path, folder)
