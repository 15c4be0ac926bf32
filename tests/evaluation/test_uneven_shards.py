"""Two processes that share images unevenly evaluate to the digits of one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_world_size, init_dist, is_main_process
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.structures import BaseDataElement, InstanceData

from tests.evaluation.coco_samples import perturbed
from tests.evaluation.test_coco_panoptic_metric import metric_of, perfect
from tests.evaluation.test_iou_metric import label_maps, sample
from tests.panoptic_samples import panoptic_folder
from tests.processes import in_processes
from vitdet.datasets.shapes import CLASSES, generate_shapes
from vitdet.evaluation import Accuracy, CocoMetric, IoUMetric
from vitdet.evaluation.rle import decode_masks

Case = tuple[BaseMetric, list[BaseDataElement], tuple[str, ...]]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def coco(root: Path, count: int) -> Case:
    """Boxes and masks, some lost, some wrong, many with one score."""
    folder = root / f"shapes_{count}"
    if not folder.is_dir():
        generate_shapes(folder, num_train=1, num_val=count, image_size=64)
    truth = json.loads((folder / "val.json").read_text())
    samples = []
    detections = perturbed(truth, seed=0)
    for image in truth["images"]:
        here = [one for one in detections if one["image_id"] == image["id"]]
        boxes = torch.tensor([one["bbox"] for one in here]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        masks = decode_masks([one["segmentation"] for one in here], 64, 64)
        element = BaseDataElement(metainfo={"img_id": image["id"]})
        element.pred_instances = InstanceData(
            bboxes=boxes,
            scores=torch.tensor([round(one["score"], 1) for one in here]),
            labels=torch.tensor([one["category_id"] - 1 for one in here]).long(),
            masks=torch.from_numpy(masks).reshape(-1, 64, 64),
        )
        samples.append(element)
    return CocoMetric(folder / "val.json"), samples, CLASSES


def coco_aside(root: Path, count: int) -> Case:
    """The same, matched in a side process."""
    metric, *rest = coco(root, count)
    metric._matches_aside = True
    return metric, *rest


def panoptic(root: Path, count: int) -> Case:
    """Every other image has its segments where those of the first are."""
    folder = root / f"panoptic_{count}"
    if not folder.is_dir():
        panoptic_folder(folder, num_train=count, num_val=1)
    samples, meta = perfect(folder / "annotations")
    for one in samples[1::2]:
        one.pred_panoptic_seg = samples[0].pred_panoptic_seg
    return metric_of(folder / "annotations"), samples, meta["classes"]


def semantic(root: Path, count: int) -> Case:
    pairs = label_maps(9, [(20, 30 + i) for i in range(count)])
    return IoUMetric(), [sample(*pair) for pair in pairs], tuple(map(str, range(9)))


def accuracy(root: Path, count: int) -> Case:
    generator = np.random.default_rng(3)
    samples = []
    for i in range(count):
        scores = torch.from_numpy(generator.random(8))
        element = BaseDataElement(metainfo={"img_path": f"{i}.jpg"})
        element.set_data({"gt_label": int(generator.integers(8)), "pred_scores": scores})
        samples.append(element)
    metric = Accuracy((1, 2, 5), outfile_prefix=str(root / f"{get_world_size()}_{count}"))
    return metric, samples, tuple(map(str, range(8)))


CASES: list[Callable[[Path, int], Case]] = [coco, coco_aside, panoptic, semantic, accuracy]


def _evaluate(root: Path, out: Path) -> None:
    """Evaluate every case with 7 images and with 1, the loader's padding on and off."""
    if "WORLD_SIZE" in os.environ:
        init_dist("pytorch", backend="gloo")
    os.chdir(root)
    found = {}
    for case in CASES:
        for count in (7, 1):
            for pads in (True, False):
                metric, samples, classes = case(root, count)
                evaluator = Evaluator([metric])
                evaluator.dataset_meta = {"classes": classes}
                for index in DefaultSampler(samples, shuffle=False, round_up=pads):
                    evaluator.process(data_samples=[samples[index]])
                found[f"{case.__name__} {count} {pads}"] = evaluator.evaluate(count)
    if is_main_process():
        out.write_text(json.dumps(found))


def test_numbers_are_those_of_one_process(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for case in CASES:
        for count in (7, 1):
            case(root, count)  # generates its data, which two processes would do at once
    for processes in (1, 2):
        in_processes(processes, _evaluate, root, tmp_path / f"{processes}.json")
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in (1, 2))
    np.testing.assert_equal(two, one)  # to the last digit, -1 and NaN included
    assert len(one) == 20
    for key in [key for key in one if key.startswith("coco ")]:
        np.testing.assert_equal(one[key.replace("coco", "coco_aside")], one[key])
    assert 0.1 < one["coco 7 True"]["coco/segm_mAP"] < 0.9
    assert 10 < one["panoptic 7 True"]["coco_panoptic/PQ"] < 90
    for count in (7, 1):
        assert (root / f"1_{count}.classes.json").read_text() == (
            root / f"2_{count}.classes.json"
        ).read_text()
    assert not (root / ".dist_test").exists()
