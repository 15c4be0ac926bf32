import contextlib
import copy
import io
import json
import math
import re

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.evaluation.coco_samples import perturbed, square, two_fruits
from vitdet.errors import UserError
from vitdet.evaluation import evaluate_coco
from vitdet.evaluation.rle import segmentation_to_rle

BACKENDS = ("numpy", "faster_coco_eval", "pycocotools")


def perfect(ground_truth):
    return [
        {
            "image_id": ann["image_id"],
            "category_id": ann["category_id"],
            "score": 0.9,
            "bbox": ann["bbox"],
            "segmentation": segmentation_to_rle(ann["segmentation"], 100, 120),
        }
        for ann in ground_truth["annotations"]
    ]


def reference_stats(ann_file, detections, iou_type):
    """The twelve numbers as pycocotools' own demo computes them."""
    if iou_type == "segm":
        detections = [{k: v for k, v in det.items() if k != "bbox"} for det in detections]
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(str(ann_file))
        evaluator = COCOeval(ground_truth, ground_truth.loadRes(detections), iou_type)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_published_numbers_of_the_coco_api(shared_data, backend, iou_type):
    folder = shared_data / "evaluator_parity"
    text = (folder / "results" / "val2014_fake_eval_res.txt").read_text()
    section = text.split(f"type={iou_type}")[1].split("type=")[0]
    published = [float(number) for number in re.findall(r"\] = (\S+)", section)]
    assert len(published) == 12

    scores = evaluate_coco(
        json.loads((folder / "instances_val2014_100.json").read_text()),
        json.loads(
            (folder / "results" / f"instances_val2014_fake{iou_type}100_results.json").read_text()
        ),
        iou_types=(iou_type,),
        backend=backend,
    )
    assert [round(number, 3) for number in getattr(scores, iou_type).stats] == published


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_backends_agree_on_published_detections(shared_data, iou_type):
    folder = shared_data / "evaluator_parity"
    ground_truth = json.loads((folder / "instances_val2014_100.json").read_text())
    name = f"instances_val2014_fake{iou_type}100_results.json"
    detections = json.loads((folder / "results" / name).read_text())
    *fast, reference = (
        getattr(
            evaluate_coco(ground_truth, detections, iou_types=(iou_type,), backend=backend),
            iou_type,
        )
        for backend in BACKENDS
    )
    for scores in fast:
        assert_same_scores(scores, reference)


def test_backends_agree_with_each_other_and_the_reference_on_real_labels(shared_data):
    ann_file = shared_data / "coco128_train" / "annotations" / "instances.json"
    ground_truth = json.loads(ann_file.read_text())
    detections = perturbed(ground_truth, seed=0)
    untouched = copy.deepcopy((ground_truth, detections))
    fast, other, slow = (evaluate_coco(ground_truth, detections, backend=b) for b in BACKENDS)
    assert (ground_truth, detections) == untouched
    for iou_type in ("bbox", "segm"):
        assert_same_scores(getattr(fast, iou_type), getattr(slow, iou_type))
        assert_same_scores(getattr(other, iou_type), getattr(slow, iou_type))
        expected = reference_stats(ann_file, detections, iou_type)
        assert 0.1 < expected[0] < 0.9
        np.testing.assert_allclose(getattr(slow, iou_type).stats, expected, atol=1e-9, rtol=0)
    assert fast.num_images == 128
    assert len(fast.class_instances) == 80
    num_crowds = sum(ann["iscrowd"] for ann in ground_truth["annotations"])
    assert num_crowds > 0
    assert sum(fast.class_instances.values()) == 939 - num_crowds


def assert_same_scores(a, b):
    np.testing.assert_allclose(a.stats, b.stats, atol=1e-9, rtol=0)
    for name in ("class_ap", "class_ap50", "class_ap_sizes", "class_curve50"):
        first, second = getattr(a, name), getattr(b, name)
        assert list(first) == list(second)
        np.testing.assert_allclose(
            list(first.values()), list(second.values()), atol=1e-9, rtol=0, equal_nan=True
        )
    for name, curve in a.class_curve50.items():
        assert curve.shape == (101,)
        np.testing.assert_allclose(curve.mean(), a.class_ap50[name], atol=1e-12)
    sizes = np.array(list(a.class_ap_sizes.values()))  # (K, 3)
    expected = (a.ap_small, a.ap_medium, a.ap_large)
    np.testing.assert_allclose(np.nanmean(sizes, axis=0), expected, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
class TestSmallCases:
    def test_perfect_predictions_score_one_even_for_annotation_id_zero(self, backend):
        scores = evaluate_coco(two_fruits(), perfect(two_fruits()), backend=backend)
        for iou_scores in (scores.bbox, scores.segm):
            assert iou_scores.ap == pytest.approx(1)
            assert iou_scores.ar1 == pytest.approx(1)
            assert iou_scores.class_ap == pytest.approx({"pear": 1, "apple": 1})
            assert math.isnan(iou_scores.ap_large)

    def test_no_detection_scores_zero(self, backend):
        scores = evaluate_coco(two_fruits(), [], backend=backend)
        assert (scores.bbox.ap, scores.segm.ap50, scores.bbox.ar100) == (0, 0, 0)
        assert scores.segm.class_ap50 == {"pear": 0, "apple": 0}

    def test_classes_select_and_order(self, backend):
        ground_truth = two_fruits()
        detections = [d for d in perfect(ground_truth) if d["category_id"] == 5]
        both = evaluate_coco(ground_truth, detections, classes=["apple", "pear"], backend=backend)
        assert list(both.bbox.class_ap.items()) == [("apple", pytest.approx(1)), ("pear", 0)]
        apples = evaluate_coco(ground_truth, detections, classes=["apple"], backend=backend)
        assert apples.bbox.ap == pytest.approx(1)
        assert apples.class_images == apples.class_instances == {"apple": 2}

    def test_crowd_and_area_may_be_left_out(self, backend):
        ground_truth = two_fruits()
        full = evaluate_coco(ground_truth, perfect(ground_truth), backend=backend)
        for ann in ground_truth["annotations"]:
            del ann["iscrowd"], ann["area"]
        bare = evaluate_coco(ground_truth, perfect(ground_truth), backend=backend)
        assert_same_scores(full.segm, bare.segm)
        assert_same_scores(full.bbox, bare.bbox)

    def test_image_ids_may_be_text(self, backend):
        ground_truth = two_fruits()
        for entry in ground_truth["images"]:
            entry["id"] = f"photo {entry['id']}"
        for entry in ground_truth["annotations"]:
            entry["image_id"] = f"photo {entry['image_id']}"
        scores = evaluate_coco(ground_truth, perfect(ground_truth), backend=backend)
        assert scores.segm.ap == pytest.approx(1)

    def test_mask_scores_rank_masks_only(self, backend):
        ground_truth = two_fruits()
        detections = perfect(ground_truth)
        wrong = [dict(d, bbox=[0, 0, 5, 5], score=0.1) for d in detections]
        for det in wrong:
            det["segmentation"] = segmentation_to_rle(square(0, 0, 5), 100, 120)
            det["mask_score"] = 0.99
        scores = evaluate_coco(ground_truth, detections + wrong, backend=backend)
        assert scores.bbox.ap == pytest.approx(1)
        assert scores.segm.ap == pytest.approx(0.5)


def test_boxes_alone_need_no_segmentation():
    ground_truth = two_fruits()
    for ann in ground_truth["annotations"]:
        del ann["segmentation"]
    detections = [
        {k: v for k, v in d.items() if k != "segmentation"} for d in perfect(two_fruits())
    ]
    scores = evaluate_coco(ground_truth, detections, iou_types=("bbox",))
    assert scores.segm is None
    assert scores.bbox.ap == pytest.approx(1)


def change(ground_truth, detections, what):
    """Break one thing in otherwise good input."""
    if what == "no annotations":
        ground_truth["annotations"] = []
    elif what == "crowds only":
        for ann in ground_truth["annotations"]:
            ann["iscrowd"] = 1
    elif what == "unlisted image":
        detections[0]["image_id"] = 99
    elif what == "unlisted category":
        detections[0]["category_id"] = 2
    elif what == "no predicted mask":
        del detections[0]["segmentation"]
    elif what == "no annotated mask":
        ground_truth["annotations"][2]["segmentation"] = []
    elif what == "same names":
        ground_truth["categories"][0]["name"] = "pear"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no annotations", "nothing to evaluate against: no annotated object of pear, apple"),
        ("crowds only", "nothing to evaluate against"),
        ("unlisted image", "ground truth does not list: ids 99"),
        ("unlisted category", "ids 2; it lists"),
        ("no predicted mask", "'segm' needs detections with 'segmentation', .* image 7 has none"),
        ("no annotated mask", "annotation 2 of image 8 has no usable segmentation"),
        ("same names", "several categories named 'pear'"),
    ],
)
def test_misfits_are_told_in_one_line(what, message):
    ground_truth = two_fruits()
    detections = perfect(ground_truth)
    change(ground_truth, detections, what)
    with pytest.raises(UserError, match=message) as caught:
        evaluate_coco(ground_truth, detections)
    assert "\n" not in str(caught.value)


def test_unknown_choices_are_refused():
    with pytest.raises(UserError, match="did you mean 'apple'"):
        evaluate_coco(two_fruits(), [], classes=["Appel"])
    with pytest.raises(UserError, match="unknown evaluation backend 'coco'"):
        evaluate_coco(two_fruits(), [], backend="coco")
    with pytest.raises(UserError, match="unknown IoU type 'mask'"):
        evaluate_coco(two_fruits(), [], iou_types=("mask",))
