import numpy as np
import pytest

from vitdet.errors import UserError
from vitdet.evaluation.coco_detections import Detections

CODE = dict(size=[4, 6], counts="04P1")


def result(image_id, boxes, labels, **more):
    boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    return dict(image_id=image_id, boxes=boxes, scores=scores, labels=np.array(labels, int), **more)


def test_results_become_entries_of_cocos_format() -> None:
    codes = [dict(CODE, counts=b"04P1"), CODE]
    mask_scores = np.float32([0.25, 0.75])
    results = [
        result("b", [[1, 2, 4, 8], [0, 0, 1, 1]], [1, 0], masks=codes, mask_scores=mask_scores),
        result("a", [], [], masks=[]),
        result("c", [[2.5, 2, 3, 4]], [1], masks=[CODE]),
    ]
    entries = Detections.from_results(results, [7, 3]).dicts()
    assert [one["image_id"] for one in entries] == ["b", "b", "c"]
    assert [one["category_id"] for one in entries] == [3, 7, 3]
    assert [one["bbox"] for one in entries] == [[1, 2, 3, 6], [0, 0, 1, 1], [2.5, 2, 0.5, 2]]
    assert [one["segmentation"] for one in entries] == [CODE] * 3
    assert [one["mask_score"] for one in entries] == [0.25, 0.75, entries[2]["score"]]
    assert entries[0]["score"] == pytest.approx(0.9)
    again = Detections.from_dicts(entries)
    assert again.dicts() == entries
    assert again.images.tolist() == [0, 0, 1]


def test_without_images_or_detections_there_are_columns() -> None:
    for results in ([], [result(1, [], [])]):
        empty = Detections.from_results(results, [1, 2])
        assert len(empty) == 0
        assert empty.boxes.shape == (0, 4)
        assert empty.dicts() == Detections.from_dicts([]).dicts() == []


def test_those_of_some_categories_get_the_images_numbers() -> None:
    found = Detections.from_results(
        [result("b", [[0, 0, 1, 1]] * 2, [0, 1]), result("a", [[0, 0, 2, 2]], [1])], [7, 3]
    )
    chosen = found.among({"a": 0, "b": 1}, {3})
    assert chosen.images.tolist() == [1, 0]
    assert chosen.boxes.tolist() == [[0, 0, 1, 1], [0, 0, 2, 2]]
    assert found.among({"a": 0, "b": 1}, set()).boxes.shape == (0, 4)


def test_what_lacks_masks_is_not_compared_by_them() -> None:
    found = Detections.from_results([result(5, [[0, 0, 1, 1]], [0])], [1])
    found.check("bbox")
    with pytest.raises(UserError, match="needs detections with 'segmentation'"):
        found.check("segm")
