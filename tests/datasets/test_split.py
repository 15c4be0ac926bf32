"""Splitting a data set by class."""

from collections import Counter

import numpy as np
import pytest

from vitdet.datasets.split import split_images


@pytest.mark.parametrize("seed", range(5))
def test_each_class_is_split_in_proportion_and_no_image_is_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, 9)
    labels = [
        rng.choice(8, size=rng.poisson(3), p=frequency / frequency.sum()).tolist()
        for _ in range(400)
    ]
    train, val = split_images(labels)
    assert sorted(train + val) == list(range(400)) and len(val) == 80
    total, held_out = (Counter(k for i in part for k in labels[i]) for part in (range(400), val))
    for name, count in total.items():
        assert held_out[name] == pytest.approx(0.2 * count, abs=max(3, 0.05 * count))


def test_a_class_of_one_image_is_trained_on() -> None:
    for seed in range(10):
        train, val = split_images([["a"], ["a"], ["rare", "a"], ["a"], ["a"]], seed=seed)
        assert 2 in train and len(val) == 1


def test_the_same_labels_give_the_same_split() -> None:
    labels = [["a", "b"], ["b"], [], ["a"], ["b", "b"], ["a"], [], ["c"], ["c"], ["a"]]
    assert split_images(labels) == split_images(labels)
    assert split_images(labels) != split_images(labels, seed=1)


@pytest.mark.parametrize("labels", [[["a"], ["b"]], [[], []], [["a"], ["a"]]])
def test_of_two_images_each_has_a_side(labels: list[list[str]]) -> None:
    train, val = split_images(labels)
    assert len(train) == len(val) == 1


def test_images_of_one_group_stay_together() -> None:
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 4, rng.poisson(2)).tolist() for _ in range(200)]
    groups = rng.integers(0, 120, 200).tolist()
    train, val = split_images(labels, groups=groups)
    assert sorted(train + val) == list(range(200)) and 25 <= len(val) <= 55
    assert {groups[k] for k in train}.isdisjoint(groups[k] for k in val)
    assert not {groups[k] for k in split_images(labels)[0]}.isdisjoint(
        groups[k] for k in split_images(labels)[1]
    )


def test_images_each_alone_are_split_as_without_groups() -> None:
    labels = [["a", "b"], ["b"], [], ["a"], ["b", "b"], ["a"], [], ["c"], ["c"], ["a"]]
    assert split_images(labels, groups="abcdefghij") == split_images(labels)


def test_of_one_group_only_each_image_is_dealt_alone() -> None:
    labels = [["a"], ["a"], ["a"], ["b"], ["b"]]
    assert split_images(labels, groups=[0] * 5) == split_images(labels)
