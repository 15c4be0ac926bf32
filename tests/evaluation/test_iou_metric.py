import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement, PixelData
from PIL import Image

from vitdet.errors import UserError
from vitdet.evaluation import IoUMetric
from vitdet.evaluation.class_areas import count_pixels

ALL = ("mIoU", "mDice", "mFscore")


def label_maps(num_classes, sizes, *, seed=0, ignore_index=255):
    """Pairs of a predicted and a true map that agree in most places, a tenth of it ignored."""
    rng = np.random.default_rng(seed)
    pairs = []
    for size in sizes:
        truth = rng.integers(num_classes, size=size)
        predicted = np.where(rng.random(size) < 0.7, truth, rng.integers(num_classes, size=size))
        truth[rng.random(size) < 0.1] = ignore_index
        pairs.append((predicted, truth))
    return pairs


def sample(predicted, truth=None, **metainfo):
    element = BaseDataElement(metainfo={"img_path": "images/one.jpg", **metainfo})
    element.pred_sem_seg = PixelData(data=torch.as_tensor(predicted)[None])
    if truth is not None:
        element.gt_sem_seg = PixelData(data=torch.as_tensor(truth)[None])
    return element


def evaluate(metric, pairs, *, classes, batch=1):
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = {"classes": classes}
    samples = [sample(*pair) for pair in pairs]
    for start in range(0, len(samples), batch):
        evaluator.process(data_samples=samples[start : start + batch])
    return evaluator.evaluate(len(samples))


def names(num_classes):
    return tuple(f"class {k}" for k in range(num_classes))


def reference(pairs, num_classes, *, ignore_index=255, beta=1):
    """The definitions of the scores, on sets of pixels; shares, NaN where there is none."""
    predicted = np.concatenate([p[t != ignore_index] for p, t in pairs])
    truth = np.concatenate([t[t != ignore_index] for _, t in pairs])
    scores = {name: [] for name in ("IoU", "Acc", "Dice", "Fscore", "Precision", "Recall")}

    def share(part, whole):
        return np.float64(part) / np.float64(whole) if whole else np.nan

    for k in range(num_classes):
        told, true = predicted == k, truth == k
        hits, union = (told & true).sum(), (told | true).sum()
        precision, recall = share(hits, told.sum()), share(hits, true.sum())
        f_score = (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
        values = (share(hits, union), recall, share(2 * hits, told.sum() + true.sum()))
        for name, value in zip(scores, (*values, f_score, precision, recall), strict=True):
            scores[name].append(value)
    means = {f"m{name}": np.nanmean(values) for name, values in scores.items()}
    return {"aAcc": share((predicted == truth).sum(), truth.size)} | means


def assert_equal(metrics, expected):
    assert set(metrics) == set(expected)
    for name, value in expected.items():
        assert metrics[name] / 100 == pytest.approx(value, rel=0, abs=1e-12), name


@pytest.mark.parametrize("num_classes", [2, 19, 300])
@pytest.mark.parametrize("ignore_index", [0, 255, 1000])
def test_random_maps(num_classes, ignore_index):
    pairs = label_maps(num_classes, [(61, 83), (128, 50), (1, 7)], ignore_index=ignore_index)
    if ignore_index < num_classes:  # a class that is not evaluated is never right
        pairs = [(np.where(p == ignore_index, 1, p), t) for p, t in pairs]
    metric = IoUMetric(ignore_index, ALL, beta=2)
    metrics = evaluate(metric, pairs, classes=names(num_classes))
    assert_equal(metrics, reference(pairs, num_classes, ignore_index=ignore_index, beta=2))


def with_mistakes(truth, num_classes):
    """A coarse copy of a label map, with a class for what it ignores."""
    coarse = truth[::8, ::8].repeat(8, axis=0).repeat(8, axis=1)
    predicted = coarse[: truth.shape[0], : truth.shape[1]]
    return np.where(predicted < num_classes, predicted, 3)


def test_ade20k(shared_data):
    pairs = []
    for path in sorted((shared_data / "ade20k_sample3/annotations").glob("*.png")):
        truth = np.asarray(Image.open(path)).astype(np.int64) - 1
        truth[truth < 0] = 255
        pairs.append((with_mistakes(truth, 150), truth))
    assert len(pairs) == 3
    metrics = evaluate(IoUMetric(iou_metrics=ALL), pairs, classes=names(150))
    assert_equal(metrics, reference(pairs, 150))


def test_camvid(shared_data):
    truths = [
        np.asarray(Image.open(path)).astype(np.int64)
        for path in sorted((shared_data / "camvid/valannot").glob("*.png"))
    ]
    assert len(truths) == 26
    pairs = [(with_mistakes(truth, 11), truth) for truth in truths]
    metrics = evaluate(IoUMetric(11, ALL), pairs, classes=names(11), batch=8)
    assert_equal(metrics, reference(pairs, 11, ignore_index=11))


def test_the_same_in_any_split():
    pairs = label_maps(30, [(40, 50)] * 7)
    one = evaluate(IoUMetric(iou_metrics=ALL), pairs, classes=names(30))
    for batch in (2, 7):
        assert evaluate(IoUMetric(iou_metrics=ALL), pairs, classes=names(30), batch=batch) == one
    assert evaluate(IoUMetric(iou_metrics=ALL), pairs[::-1], classes=names(30)) == one


def test_agrees_with_mmseg():
    from mmseg.evaluation.metrics import IoUMetric as MmsegMetric

    pairs = label_maps(12, [(64, 80)] * 3)
    for predicted, truth in pairs:
        truth[(truth == 4) | (truth == 5)] = 6
        predicted[predicted == 4] = 7  # class 4 is nowhere, class 5 only predicted
    ours = evaluate(IoUMetric(iou_metrics=ALL, beta=2), pairs, classes=names(12))
    theirs = evaluate(MmsegMetric(iou_metrics=ALL, beta=2), pairs, classes=names(12))
    assert list(ours) == list(theirs)
    assert ours == pytest.approx(theirs, abs=0.006)  # mmseg rounds to 0.01
    ours = evaluate(IoUMetric(iou_metrics=ALL, nan_to_num=0), pairs, classes=names(12))
    assert ours["mIoU"] < evaluate(IoUMetric(), pairs, classes=names(12))["mIoU"]


def test_areas_beyond_the_integers_of_float32():
    metric = IoUMetric()
    metric.dataset_meta = {"classes": ("sky", "road")}
    million = torch.tensor([[10**6, 1], [10**6, 1], [10**6 + 1, 1]])
    metrics = metric.compute_metrics([million] * 100)
    assert metrics["mAcc"] == pytest.approx(50 + 50 * 10**6 / (10**6 + 1), rel=1e-15)


def test_a_class_that_is_nowhere_found_lowers_the_f_score():
    pairs = [(np.array([[0, 0, 0, 0]]), np.array([[0, 0, 1, 2]]))]
    metrics = evaluate(IoUMetric(iou_metrics="mFscore"), pairs, classes=names(4))
    assert metrics["mFscore"] == pytest.approx(100 * (2 * 0.5 / 1.5) / 3)
    assert metrics["mPrecision"] == pytest.approx(50)


def test_what_is_kept_for_a_report():
    pairs = label_maps(5, [(20, 30), (30, 20), (10, 10)])
    metric = IoUMetric()
    for some in (pairs, pairs[:2]):  # a second evaluation starts anew
        metrics = evaluate(metric, some, classes=names(5), batch=2)
        expected = np.zeros((5, 5), int)
        for predicted, truth in some:
            np.add.at(expected, (truth[truth < 255], predicted[truth < 255]), 1)
        record = metric.record
        np.testing.assert_array_equal(record.table, expected)
        np.testing.assert_array_equal(record.true_pixels, expected.sum(1))
        assert record.class_scores["IoU"].mean() == pytest.approx(metrics["mIoU"])
        assert record.classes == names(5)
    metric.compute_metrics([torch.ones(3, 5, dtype=torch.int64)])  # counted in another process
    assert metric.record.table is None


def test_results_are_small():
    metric = IoUMetric()
    metric.dataset_meta = {"classes": names(150)}
    metric.process({}, [sample(*pair).to_dict() for pair in label_maps(150, [(100, 100)])])
    (areas,) = metric.results
    assert areas.shape == (3, 150) and areas.dtype == torch.int64
    assert areas.untyped_storage().nbytes() == 3 * 150 * 8


def logged(caplog, pairs, classes):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            evaluate(IoUMetric(), pairs, classes=classes)
    finally:
        logger.removeHandler(caplog.handler)
    return caplog.text


def test_log_lists_the_classes(caplog):
    pairs = [(np.array([[0, 0, 1, 2]]), np.array([[0, 0, 255, 0]]))]
    text = logged(caplog, pairs, ("sky", "road", "[b]:car:", "car"))
    assert "prefix" not in text  # mmengine warns of metrics that have none
    assert "| sky      |      1 |   100.00 | 66.67 | 66.67 |" in text
    assert "| [b]:car: |      0 |     0.00 |  0.00 |     - |" in text
    assert "| road" not in text
    assert "predicted, but in no label map: [b]:car:" in text
    assert "neither predicted nor in a label map: road; car" in text
    assert "1 images: aAcc 66.67, mIoU 33.33, mAcc 66.67" in text


def test_many_classes_stand_side_by_side(caplog):
    truth = np.arange(120)[None]
    text = logged(caplog, [(truth, truth)], names(120))
    (row,) = [line for line in text.splitlines() if "| class 10 " in line]
    assert "| class 60 " in row and "| class 110 " in row


def test_predictions_are_written(tmp_path):
    predicted, truth = label_maps(150, [(20, 30)])[0]
    metric = IoUMetric(output_dir=tmp_path / "new" / "maps", format_only=True)
    metric.dataset_meta = {"classes": names(150)}
    samples = [
        sample(predicted, img_path="images/a.jpg"),
        sample(predicted, truth, img_path="images/b.c.jpg", reduce_zero_label=True),
    ]
    metric.process({}, [one.to_dict() for one in samples])
    assert metric.evaluate(2) == {}
    for name, shift in {"a": 0, "b.c": 1}.items():
        written = Image.open(tmp_path / "new" / "maps" / f"{name}.png")
        assert written.mode == "L"
        np.testing.assert_array_equal(np.asarray(written), predicted + shift)


def test_written_classes_above_255(tmp_path):
    predicted = np.array([[0, 299]])
    metric = IoUMetric(output_dir=tmp_path)
    evaluate(metric, [(predicted, predicted)], classes=names(300))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "one.png")), predicted)


@pytest.mark.parametrize(
    "pair, message",
    [
        (([[0, 1]], [[0, 3]]), r"masks/one.png: true label 3, but the 3 classes are 0 to 2"),
        (([[0, 1]], [[-1, 0]]), "true label -1"),
        (([[0, 3]], [[0, 1]]), "predicted class 3, .* the same number of classes"),
        (([[0, 1]], [[0], [1]]), "height x width: 1x2 and 2x1"),
        (([[0, 1]], None), "masks/one.png comes without a label map"),
    ],
)
def test_what_does_not_fit_is_named(pair, message):
    metric = IoUMetric()
    metric.dataset_meta = {"classes": names(3)}
    with pytest.raises(UserError, match=message):
        metric.process({}, [sample(*pair, seg_map_path="masks/one.png").to_dict()])


def test_nothing_to_evaluate_against():
    pairs = [(np.zeros((2, 2), int), np.full((2, 2), 255))]
    with pytest.raises(UserError, match="every pixel of all 1 label maps is ignore_index=255"):
        evaluate(IoUMetric(), pairs, classes=names(3))


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(iou_metrics=["mIOU"]), "iou_metrics=.*expected some of mIoU, mDice, mFscore"),
        (dict(iou_metrics=()), "iou_metrics"),
        (dict(format_only=True), "output_dir"),
    ],
)
def test_mistakes_in_the_config(options, message):
    with pytest.raises(UserError, match=message):
        IoUMetric(**options)


@pytest.mark.gpu
def test_counts_on_the_gpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    ((predicted, truth),) = label_maps(150, [(512, 683)])
    maps = [torch.as_tensor(map_) for map_ in (predicted, truth)]
    expected = count_pixels(*maps, num_classes=150, ignore_index=255)
    table = count_pixels(*(map_.cuda() for map_ in maps), num_classes=150, ignore_index=255)
    assert table.device.type == "cpu" and table.equal(expected)
