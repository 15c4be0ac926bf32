"""Matching in every case that a data set brings."""

import itertools
import logging

import pytest
import torch
from mmengine.logging import MMLogger

from tests.set_prediction.test_criterion import random_case
from vitdet.errors import UserError
from vitdet.set_prediction import HungarianMatcher, Targets, pad_targets
from vitdet.set_prediction.targets import ABSENT


def test_pairs_are_the_cheapest_of_all() -> None:
    logits, boxes, targets = random_case((3, 2), num_queries=4)
    matcher = HungarianMatcher()
    matches, costs = matcher(logits, boxes, targets), matcher.costs(logits, boxes, targets)
    for layer, image in itertools.product(range(2), range(2)):
        here = matches.images == image
        cost = costs[layer, image]
        found = cost[matches.queries[layer, here], matches.objects[layer, here]].sum()
        count = int(targets.num_objects[image])
        cheapest = min(
            sum(cost[query, index] for index, query in enumerate(queries))
            for queries in itertools.permutations(range(4), count)
        )
        assert found.item() == pytest.approx(cheapest.item(), abs=1e-5)


def test_batch_equals_one_by_one_and_layer_by_layer() -> None:
    logits, boxes, targets = random_case((3, 0, 5))
    together = HungarianMatcher()(logits, boxes, targets)
    for layer, image in itertools.product(range(2), range(3)):
        count = int(targets.num_objects[image])
        alone = HungarianMatcher()(
            logits[layer : layer + 1, image : image + 1],
            boxes[layer : layer + 1, image : image + 1],
            pad_targets([targets.labels[image, :count]], [targets.boxes[image, :count]]),
        )
        here = together.images == image
        assert torch.equal(together.queries[layer, here], alone.queries[0])
        assert torch.equal(together.objects[layer, here], alone.objects[0])


def test_no_targets_at_all() -> None:
    matches = HungarianMatcher()(*random_case((0, 0)))
    assert matches.images.shape == (0,) and matches.queries.shape == (2, 0)


def test_more_targets_than_queries_warns_once_with_the_numbers() -> None:
    logits, boxes, targets = random_case((9, 2))
    matcher = HungarianMatcher()
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    for _ in range(2):
        matches = matcher(logits, boxes, targets)
    logger.removeHandler(handler)
    (record,) = records
    assert "9 objects" in record.getMessage() and "6 queries" in record.getMessage()
    assert record.levelno == logging.WARNING
    assert (matches.images == 0).sum() == 6
    assert sorted(matches.queries[0, :6].tolist()) == list(range(6))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("what", ["logits", "boxes"])
@pytest.mark.parametrize("count", [3, 0])
def test_predictions_that_are_no_numbers_name_the_image(
    value: float, what: str, count: int
) -> None:
    logits, boxes, targets = random_case((2, count))
    {"logits": logits, "boxes": boxes}[what][0, 1, 2] = value
    targets = targets._replace(names=["a.jpg", "b.jpg"])
    with pytest.raises(UserError, match=r"b\.jpg: 1 of 6 predictions are NaN or infinite"):
        HungarianMatcher()(logits, boxes, targets)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((float("nan"), 0.5, 0.1, 0.1), "NaN or inverted"),
        ((0.5, 0.5, -0.1, 0.1), "NaN or inverted"),
    ],
)
def test_boxes_that_are_none_name_the_image(box: tuple[float, ...], words: str) -> None:
    logits, boxes, targets = random_case((2, 3))
    targets.boxes[1, 2] = torch.tensor(box)
    with pytest.raises(UserError, match=f"image 1 of the batch: the box .*{words}"):
        HungarianMatcher()(logits, boxes, targets)


@pytest.mark.parametrize("label", [4, -2])
def test_labels_that_do_not_exist_name_the_image(label: int) -> None:
    logits, boxes, targets = random_case((2, 3))
    targets.labels[0, 1] = label
    with pytest.raises(UserError, match=f"image 0 of the batch: label {label}.* 4 classes"):
        HungarianMatcher()(logits, boxes, targets)


def test_boxes_of_zero_size_are_matched() -> None:
    logits, boxes, targets = random_case((2, 2))
    targets.boxes[0, :, 2:] = 0
    boxes[:, 0, :, 2:] = 0
    boxes[:, 0, 0, :2] = targets.boxes[0, 0, :2]
    matches = HungarianMatcher()(logits, boxes, targets)
    assert (matches.images == 0).sum() == 2


def test_objects_marked_absent_are_left_out_wherever_they_stand() -> None:
    logits, boxes, targets = random_case((3, 3))
    labels = targets.labels.clone()
    labels[0, 0] = ABSENT
    found = HungarianMatcher()(logits, boxes, targets._replace(labels=labels))
    without = Targets(targets.labels[:1, 1:], targets.boxes[:1, 1:], targets.names)
    expected = HungarianMatcher()(logits[:, :1], boxes[:, :1], without)
    here = found.images == 0
    assert torch.equal(found.queries[:, here], expected.queries)
    assert torch.equal(found.objects[:, here], expected.objects + 1)


def test_all_costs_zero_are_refused() -> None:
    with pytest.raises(UserError, match="all costs are 0"):
        HungarianMatcher(class_cost=0, l1_cost=0, giou_cost=0)
