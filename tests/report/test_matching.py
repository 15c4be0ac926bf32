"""Found objects and their partners, against examples counted by hand."""

import numpy as np
import pytest

from vitdet.evaluation.coco_record import FoundObjects
from vitdet.report.examples import best_and_worst, most_confidently_wrong
from vitdet.report.matching import (
    BADLY_PLACED,
    CORRECT,
    IN_CROWD,
    NOTHING,
    TWICE,
    WRONG_CLASS,
    ImageMatch,
    Truth,
    confusion_matrix,
    match_image,
)

CAT, DOG = 0, 1


def found(*objects: tuple[float, int, float], image_id: int = 1) -> FoundObjects:
    """Squares of 10 pixels, each (left edge, label, score)."""
    return FoundObjects(
        image_id=image_id,
        boxes=np.array([[x, 0, x + 10, 10] for x, *_ in objects], np.float32).reshape(-1, 4),
        scores=np.array([score for *_, score in objects], np.float32),
        labels=np.array([label for _, label, _ in objects], dtype=int),
        masks=None,
    )


def truth(*objects: tuple[float, int], crowds: tuple[tuple[float, int], ...] = ()) -> Truth:
    """Squares of 10 pixels, each (left edge, label); crowds are 100 wide."""
    return Truth(
        boxes=np.array(
            [[x, 0, 10, 10] for x, _ in objects] + [[x, 0, 100, 10] for x, _ in crowds], float
        ).reshape(-1, 4),
        labels=np.array([label for _, label in (*objects, *crowds)], dtype=int),
        is_crowd=np.array([False] * len(objects) + [True] * len(crowds), dtype=bool),
    )


def test_every_kind_of_verdict() -> None:
    match = match_image(
        found(
            *((0, CAT, 0.9), (1, CAT, 0.8), (20, CAT, 0.7), (46, DOG, 0.6), (80, DOG, 0.5)),
            (210, DOG, 0.4),
        ),
        truth((0, CAT), (20, DOG), (40, DOG), (60, CAT), crowds=((200, DOG),)),
    )
    assert match.verdicts == [CORRECT, TWICE, WRONG_CLASS, BADLY_PLACED, NOTHING, IN_CROWD]
    assert match.partners.tolist() == [0, -1, 1, -1, -1, -1]
    assert match.missed.tolist() == [2, 3]
    assert (match.num_true, match.num_correct, match.num_wrong) == (4, 1, 4)
    assert match.f_score == pytest.approx(2 * 1 / (5 + 4))
    expected = [[1, 0, 1], [1, 0, 1], [1, 2, 0]]  # true cat, dog, nothing x found cat, dog, missed
    assert confusion_matrix([match, match], 2).tolist() == (2 * np.array(expected)).tolist()


def test_the_same_class_is_paired_before_a_higher_score_of_another() -> None:
    match = match_image(found((0, DOG, 0.9), (0, CAT, 0.4)), truth((0, CAT)))
    assert match.verdicts == [WRONG_CLASS, CORRECT]
    assert match.partners.tolist() == [-1, 0]


def test_of_one_class_the_higher_score_is_paired() -> None:
    match = match_image(found((0, CAT, 0.4), (2, CAT, 0.9)), truth((0, CAT)))
    assert match.verdicts == [TWICE, CORRECT]


def test_a_match_needs_an_overlap_of_a_half() -> None:
    # Squares of 10 shifted by 3 have an IoU of 7/13, by 4 of 6/14.
    assert match_image(found((3, CAT, 0.9)), truth((0, CAT))).verdicts == [CORRECT]
    match = match_image(found((4, CAT, 0.9)), truth((0, CAT)))
    assert match.verdicts == [BADLY_PLACED]
    assert match.overlaps == pytest.approx([6 / 14])


def test_nothing_found_and_nothing_there() -> None:
    match = match_image(found(), truth((0, CAT)))
    assert (match.f_score, match.missed.tolist()) == (0, [0])
    match = match_image(found((0, CAT, 0.9)), truth())
    assert (match.f_score, match.verdicts) == (0, [NOTHING])
    assert np.isnan(match_image(found(), truth()).f_score)
    assert confusion_matrix([match], 2).tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_each_object_is_counted_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        objects = [(x, int(rng.integers(3))) for x in rng.uniform(0, 60, rng.integers(8))]
        guesses = [
            (x, int(rng.integers(3)), s)
            for x, s in rng.uniform((0, 0.3), (60, 1), (rng.integers(8), 2))
        ]
        match = match_image(found(*guesses), truth(*objects))
        table = confusion_matrix([match], 3)
        labels = np.bincount([label for _, label in objects], minlength=3)
        assert table[:3].sum(1).tolist() == labels.tolist()
        assert table[:, :3].sum() == len(guesses)
        assert table[:3, :3].trace() == match.num_correct
        used = match.partners[match.partners >= 0]
        assert len(set(used.tolist())) == len(used)


@pytest.fixture
def matches() -> list[ImageMatch]:
    return [
        match_image(found((0, CAT, 0.6), image_id=1), truth((0, CAT))),
        match_image(found((0, CAT, 0.6), (20, DOG, 0.5), image_id=2), truth((0, CAT), (20, DOG))),
        match_image(found((0, DOG, 0.7), image_id=3), truth((0, CAT))),
        match_image(found((0, CAT, 0.9), (50, CAT, 0.8), image_id=4), truth((0, CAT))),
        match_image(found(image_id=5), truth((0, CAT), (20, CAT), (40, CAT))),
        match_image(found(image_id=6), truth()),
    ]


def test_best_worst_and_most_confidently_wrong(matches: list[ImageMatch]) -> None:
    def ids(ones: list[ImageMatch]) -> list[int]:
        return [one.found.image_id for one in ones]

    best, worst = best_and_worst(matches, 2)
    assert (ids(best), ids(worst)) == ([2, 1], [5, 3])
    assert ids(most_confidently_wrong(matches, 9)) == [4, 3]
    best, worst = best_and_worst(matches[2:], 9)
    assert (ids(best), ids(worst)) == ([4], [5, 3])
