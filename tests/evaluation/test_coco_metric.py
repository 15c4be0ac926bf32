import json
import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, InstanceData

from tests.evaluation.coco_samples import two_fruits
from vitdet.errors import UserError
from vitdet.evaluation import CocoMetric, coco_metric, evaluate_coco
from vitdet.evaluation.rle import encode_masks

CORNERS = {"pear": 10, "apple": 60}


@pytest.fixture
def ann_file(tmp_path):
    path = tmp_path / "val.json"
    path.write_text(json.dumps(two_fruits()))
    return path


def mask_of(corner, side=30):
    mask = torch.zeros(100, 120, dtype=torch.bool)
    mask[corner : corner + side, corner : corner + side] = True
    return mask


def sample(image_id, classes, names=("pear", "apple"), *, with_masks=True):
    """A data sample as a detector with labels in the order of `classes` returns it."""
    corners = [CORNERS[name] for name in names]
    predicted = InstanceData(
        bboxes=torch.tensor([[c, c, c + 30, c + 30] for c in corners]).float().reshape(-1, 4),
        scores=torch.linspace(0.9, 0.8, len(names)),
        labels=torch.tensor([classes.index(name) for name in names], dtype=torch.long),
    )
    if with_masks:
        masks = [mask_of(c) for c in corners]
        predicted.masks = torch.stack(masks) if masks else torch.zeros(0, 100, 120).bool()
    element = BaseDataElement(metainfo={"img_id": image_id})
    element.pred_instances = predicted
    return element


def evaluate(metric, samples, classes):
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = {"classes": classes}
    for one in samples:
        evaluator.process(data_samples=[one])
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize("classes", [("pear", "apple"), ("apple", "pear")])
@pytest.mark.parametrize("backend", ["numpy", "faster_coco_eval", "pycocotools"])
def test_labels_follow_the_order_of_the_classes(ann_file, classes, backend):
    metric = CocoMetric(ann_file, backend=backend)
    scores = evaluate(metric, [sample(i, classes) for i in (7, 8)], classes)
    assert scores["coco/bbox_mAP"] == scores["coco/segm_mAP"] == pytest.approx(1)
    assert scores["coco/bbox_mAP_l"] == -1
    keys = ["mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"]
    keys += ["AR@1", "AR@10", "AR@100", "AR_s", "AR_m", "AR_l"]
    assert list(scores) == [f"coco/{t}_{key}" for t in ("bbox", "segm") for key in keys]


def test_numbers_are_those_of_the_plain_function(ann_file):
    classes = ("apple", "pear")
    samples = [sample(7, classes, ["apple"]), sample(8, classes, ["pear", "apple"])]
    samples[1].pred_instances.bboxes += 6
    samples[1].pred_instances.masks = samples[1].pred_instances.masks.roll(6, dims=2)
    scores = evaluate(CocoMetric(ann_file), samples, classes)
    box = [60.0, 60.0, 30.0, 30.0]
    detections = [
        {"image_id": 7, "category_id": 5, "score": 0.9, "bbox": box},
        {"image_id": 8, "category_id": 1, "score": 0.9, "bbox": [16.0, 16.0, 30.0, 30.0]},
        {"image_id": 8, "category_id": 5, "score": 0.8, "bbox": [66.0, 66.0, 30.0, 30.0]},
    ]
    masks = [mask_of(60), mask_of(10).roll(6, dims=1), mask_of(60).roll(6, dims=1)]
    for det, code in zip(detections, encode_masks(torch.stack(masks)), strict=True):
        det["segmentation"] = code
    expected = evaluate_coco(two_fruits(), detections)
    assert 0 < expected.bbox.ap < expected.segm.ap < 1
    for key, value in (
        ("bbox_mAP", expected.bbox.ap),
        ("bbox_mAP_s", expected.bbox.ap_small),
        ("segm_mAP_75", expected.segm.ap75),
        ("segm_AR@100", expected.segm.ar100),
    ):
        assert scores[f"coco/{key}"] == value


@pytest.mark.parametrize("metric", ["bbox", ("bbox", "segm")])
def test_what_is_kept_for_a_report(ann_file, metric):
    classes = ("apple", "pear")
    samples = [sample(8, classes), sample(7, classes, ["apple"])]
    samples[0].pred_instances.scores = torch.tensor([0.29, 0.31])
    metric = CocoMetric(ann_file, metric=metric)
    assert metric.record is None
    scores = evaluate(metric, samples, classes)
    record = metric.record
    assert record.scores.bbox.ap == scores["coco/bbox_mAP"]
    assert record.category_ids == {"apple": 5, "pear": 1}
    first, second = record.images
    assert (first.image_id, second.image_id) == (8, 7)
    assert first.boxes.tolist() == second.boxes.tolist() == [[60, 60, 90, 90]]
    assert first.scores == pytest.approx([0.31])
    assert first.labels.tolist() == [0]
    if metric.iou_types == ("bbox",):
        assert first.masks is None
    else:
        assert first.masks == encode_masks(mask_of(60)[None])


def test_heads_may_hand_over_run_length_codes_and_mask_scores(ann_file):
    classes = ("pear", "apple")
    samples = [sample(i, classes) for i in (7, 8)]
    for one in samples:
        codes = encode_masks(one.pred_instances.masks)
        one.pred_instances.masks = [{**c, "counts": c["counts"].encode()} for c in codes]
        one.pred_instances.mask_scores = torch.tensor([0.3, 0.2])
    metric = CocoMetric(ann_file, outfile_prefix=str(ann_file.parent / "out" / "run"))
    assert evaluate(metric, samples, classes)["coco/segm_mAP"] == pytest.approx(1)
    written = json.loads((ann_file.parent / "out" / "run.segm.json").read_text())
    assert [entry["score"] for entry in written] == pytest.approx([0.3, 0.2] * 2)


def test_table_tells_each_class(ann_file, caplog):
    classes = ("apple", "pear")
    samples = [sample(i, classes, ["pear"]) for i in (7, 8)]
    lines = logged(caplog, CocoMetric(ann_file), samples, classes)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    head = ["class", "images", "instances", "box AP", "box AP50", "mask AP", "mask AP50"]
    assert rows[0] == head
    assert rows[1] == ["apple", "2", "2", "0.000", "0.000", "0.000", "0.000"]
    assert rows[2] == ["pear", "2", "2", "1.000", "1.000", "1.000", "1.000"]
    assert rows[3] == ["all", "2", "4", "0.500", "0.500", "0.500", "0.500"]
    assert [row[0] for row in rows[4:]] == ["", "box", "mask"]
    assert rows[5][-1] == "-"


def logged(caplog, metric, samples, classes):
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            evaluate(metric, samples, classes)
    finally:
        logger.removeHandler(caplog.handler)
    return caplog.text.splitlines()


def test_empty_predictions_score_zero_and_say_so(ann_file, caplog):
    classes = ("apple", "pear")
    samples = [sample(i, classes, []) for i in (7, 8)]
    lines = logged(caplog, CocoMetric(ann_file), samples, classes)
    assert any("predicted nothing at all on 2 images" in line for line in lines)
    scores = evaluate(CocoMetric(ann_file), samples, classes)
    assert scores["coco/bbox_mAP"] == scores["coco/segm_mAP_50"] == 0


def test_images_without_predictions_are_counted_and_told(ann_file, caplog):
    classes = ("apple", "pear")
    lines = logged(caplog, CocoMetric(ann_file), [sample(7, classes)], classes)
    assert any("predictions for 1 of the 2 images" in line for line in lines)
    scores = evaluate(CocoMetric(ann_file), [sample(7, classes)], classes)
    assert scores["coco/bbox_AR@100"] == pytest.approx(0.5)


def test_format_only_writes_submission_files(ann_file):
    prefix = ann_file.parent / "submission" / "test"
    metric = CocoMetric(ann_file, format_only=True, outfile_prefix=str(prefix))
    classes = ("apple", "pear")
    assert evaluate(metric, [sample(7, classes)], classes) == {}
    boxes = json.loads(prefix.with_suffix(".bbox.json").read_text())
    assert [(entry["image_id"], entry["category_id"]) for entry in boxes] == [(7, 1), (7, 5)]
    assert boxes[0]["bbox"] == [10, 10, 30, 30]
    assert set(boxes[0]) == {"image_id", "category_id", "bbox", "score"}
    masks = json.loads(prefix.with_suffix(".segm.json").read_text())
    assert masks[1]["segmentation"] == encode_masks(mask_of(60)[None])[0]
    np.testing.assert_allclose([entry["score"] for entry in masks], [0.9, 0.8], atol=1e-6)


class TestMistakes:
    def test_file_missing(self, tmp_path):
        with pytest.raises(UserError, match=r"annotation file not found: .*none\.json"):
            CocoMetric(tmp_path / "none.json")

    def test_no_annotations(self, ann_file):
        ann_file.write_text(json.dumps(two_fruits() | {"annotations": []}))
        with pytest.raises(UserError, match="has no annotations"):
            CocoMetric(ann_file)

    def test_class_not_in_file_is_told_when_the_evaluator_is_built(self, ann_file):
        metric = CocoMetric(ann_file)
        with pytest.raises(UserError, match=r"no category 'Pears' .*'pear'.* in .*val\.json"):
            metric.dataset_meta = {"classes": ("Pears", "apple")}

    def test_masks_asked_of_a_model_without(self, ann_file):
        classes = ("apple", "pear")
        with pytest.raises(UserError, match="the model predicts no masks; set metric='bbox'"):
            evaluate(CocoMetric(ann_file), [sample(7, classes, with_masks=False)], classes)
        samples = [sample(i, classes, with_masks=False) for i in (7, 8)]
        scores = evaluate(CocoMetric(ann_file, metric="bbox"), samples, classes)
        assert scores["coco/bbox_mAP"] == pytest.approx(1)
        assert "coco/segm_mAP" not in scores

    @pytest.mark.parametrize("metric", ["proposal", [], ["bbox", "masks"]])
    def test_unknown_metric(self, ann_file, metric):
        with pytest.raises(UserError, match="expected 'bbox', 'segm' or both"):
            CocoMetric(ann_file, metric)

    def test_format_only_without_place(self, ann_file):
        with pytest.raises(UserError, match="needs outfile_prefix"):
            CocoMetric(ann_file, format_only=True)


class TestSideProcess:
    """What is matched beside the model is what is matched at the end."""

    classes = ("apple", "pear")

    def samples(self):
        samples = [sample(8, self.classes), sample(7, self.classes, ["apple"])]
        samples[0].pred_instances.bboxes += 6
        return samples

    def test_numbers_are_those_without(self, ann_file, monkeypatch):
        expected = evaluate(CocoMetric(ann_file), self.samples(), self.classes)
        assert 0 < expected["coco/bbox_mAP"] < 1
        metric = CocoMetric(ann_file)
        metric._matches_aside = True
        monkeypatch.setattr(coco_metric, "evaluate_coco", None)  # is not called
        monkeypatch.setattr(coco_metric, "_IMAGES_AT_ONCE", 1)
        for _ in range(2):  # each evaluation has its own process
            assert evaluate(metric, self.samples(), self.classes) == expected
            assert metric._side is None
        assert [one.image_id for one in metric.record.images] == [8, 7]

    def test_an_image_that_comes_twice(self, ann_file):
        samples = [*self.samples(), sample(7, self.classes)]
        expected = evaluate(CocoMetric(ann_file), samples, self.classes)
        metric = CocoMetric(ann_file)
        metric._matches_aside = True
        assert evaluate(metric, samples, self.classes) == expected

    def test_where_it_fails_all_is_done_here(self, ann_file, caplog, monkeypatch):
        expected = evaluate(CocoMetric(ann_file), self.samples(), self.classes)
        metric = CocoMetric(ann_file)
        metric._matches_aside = True
        monkeypatch.setattr(coco_metric, "ImageMatcher", int)  # which no truth goes into
        lines = logged(caplog, metric, self.samples(), self.classes)
        assert any("side process failed (TypeError: int() takes" in line for line in lines)
        assert metric.record.scores.bbox.ap == expected["coco/bbox_mAP"]

    def test_a_mistake_is_told_as_ever(self, ann_file, caplog):
        truth = two_fruits()
        del truth["annotations"][0]["segmentation"]
        ann_file.write_text(json.dumps(truth))
        metric = CocoMetric(ann_file)
        metric._matches_aside = True
        with pytest.raises(UserError, match="annotation 0 of image 7 has no usable segmentation"):
            logged(caplog, metric, self.samples(), self.classes)
        assert "side process" not in caplog.text

    def test_only_many_images_are_worth_it(self, ann_file):
        assert not CocoMetric(ann_file)._matches_aside
        truth = two_fruits()
        truth["images"] += [{"id": i, "height": 9, "width": 9} for i in range(100, 598)]
        ann_file.write_text(json.dumps(truth))
        assert CocoMetric(ann_file)._matches_aside
        assert not CocoMetric(ann_file, backend="pycocotools")._matches_aside
        assert not CocoMetric(ann_file, format_only=True, outfile_prefix="x")._matches_aside
