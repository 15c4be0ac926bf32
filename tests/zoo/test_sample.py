"""A random sample of the zoo builds, and a smaller one trains a step and predicts."""

import random

import pytest

from vitdet.zoo.configs import LIBRARIES, zoo_names
from vitdet.zoo.outcome import EXCUSED, YES, Outcome
from vitdet.zoo.workers import check_all


def sample_of(number: int, *, with_step: bool) -> dict[str, Outcome]:
    """Outcomes of `number` configs of both libraries that are not excused."""
    names = [name for library in LIBRARIES for name in zoo_names(library)]
    random.Random(6).shuffle(names)
    outcomes: dict[str, Outcome] = {}
    while len(outcomes) < number:
        part, names = names[: number - len(outcomes)], names[number - len(outcomes) :]
        found = check_all(part, with_step=with_step)
        outcomes |= {name: one for name, one in found if EXCUSED not in (one.built, one.stepped)}
    return outcomes


def test_sixty_build() -> None:
    outcomes = sample_of(60, with_step=False)
    assert {name: one for name, one in outcomes.items() if one != Outcome(YES)} == {}


@pytest.mark.slow
def test_twelve_step() -> None:
    outcomes = sample_of(12, with_step=True)
    assert {name: one for name, one in outcomes.items() if one != Outcome(YES, YES)} == {}


def test_a_detector_and_a_segmentor_step() -> None:
    names = [
        "mmdet::retinanet/retinanet_r18_fpn_1x_coco",
        "mmseg::fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024",
    ]
    assert dict(check_all(names, with_step=True)) == dict.fromkeys(names, Outcome(YES, YES))
