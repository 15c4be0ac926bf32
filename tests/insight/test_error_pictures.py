"""Each kind of error is told from the others, by the name of the class, not by its place."""

from typing import Any

import numpy as np
import pytest

from vitdet.inference.prediction import Prediction
from vitdet.insight.error_pictures import COLOURS, draw_verdicts, judge_objects, pixel_accuracy
from vitdet.report.matching import BADLY_PLACED, CORRECT, NOTHING, TWICE, WRONG_CLASS


def item(*objects: tuple[list[float], int]) -> dict[str, Any]:
    return {
        "img_id": 1,
        "instances": [
            {"bbox": box, "bbox_label": label, "ignore_flag": 0} for box, label in objects
        ],
    }


def prediction(boxes: list[list[float]], labels: list[int]) -> Prediction:
    return Prediction(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.linspace(0.9, 0.5, len(boxes), dtype=np.float32),
        labels=np.array(labels, int),
        class_names=("dog", "cat", "bird"),  # another order than the data's, and one more
        image_size=(100, 100),
    )


def test_each_kind_of_error() -> None:
    truth = item(
        ([0, 0, 20, 20], 0), ([40, 0, 60, 20], 0), ([0, 60, 20, 80], 1), ([80, 80, 99, 99], 1)
    )
    found = prediction(
        [[0, 0, 20, 20], [1, 0, 21, 20], [40, 0, 60, 20], [10, 60, 30, 80], [70, 30, 80, 40]],
        [1, 1, 0, 0, 1],
    )
    match = judge_objects(truth, ("cat", "dog"), found)
    assert match.verdicts == [CORRECT, TWICE, WRONG_CLASS, BADLY_PLACED, NOTHING]
    assert match.missed.tolist() == [2, 3]


def test_class_that_the_data_does_not_know_is_wrong() -> None:
    match = judge_objects(
        item(([0, 0, 20, 20], 0)), ("cat", "dog"), prediction([[0, 0, 20, 20]], [2])
    )
    assert match.verdicts == [WRONG_CLASS]


def test_drawing_has_the_colours_of_the_verdicts() -> None:
    truth, found = item(([60, 60, 90, 90], 0)), prediction([[10, 10, 40, 40]], [1])
    match = judge_objects(truth, ("cat", "dog"), found)
    pixels = np.zeros((100, 100, 3), np.uint8)
    drawn = np.asarray(draw_verdicts(pixels, match, ("cat", "dog"), prediction=found, side=200))
    assert drawn.shape == (200, 200, 3)
    assert tuple(drawn[50, 20]) == COLOURS[NOTHING]  # left edge of what was found
    assert tuple(drawn[150, 120]) == COLOURS["missed"]
    assert not drawn[100, 100].any()


def test_pixels_without_a_label_are_not_judged() -> None:
    truth = np.array([[0, 1, 255, 255]])
    assert pixel_accuracy(truth, np.array([[0, 0, 1, 1]]), 2) == 0.5
    assert np.isnan(pixel_accuracy(truth[:, 2:], np.array([[1, 1]]), 2))


@pytest.mark.parametrize("ignored", [0, 1])
def test_crowds_are_no_misses(ignored: int) -> None:
    truth = item(([0, 0, 50, 50], 0))
    truth["instances"][0]["ignore_flag"] = ignored
    match = judge_objects(truth, ("cat", "dog"), prediction([], []))
    assert len(match.missed) == 1 - ignored
