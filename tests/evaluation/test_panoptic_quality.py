"""Panoptic quality is what sets of pixels and fractions give, in any order of the images."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vitdet.datasets.panoptic_files import panoptic_classes, read_panoptic, read_segment_ids
from vitdet.evaluation.panoptic_quality import (
    ClassQuality,
    SegmentMatches,
    Segments,
    class_qualities,
    match_segments,
    mean_quality,
)


def pixels_of(segments: Segments) -> dict[int, set[tuple[int, int]]]:
    """The pixels of each segment; key None has those that are void."""
    pixels: dict = {number: set() for number in [*segments.labels, None]}
    for place in np.ndindex(segments.ids.shape):
        number = int(segments.ids[place])
        pixels[number if number in segments.labels else None].add(place)
    return pixels


def by_sets(images: list[tuple[Segments, Segments]], num_classes: int) -> list[tuple]:
    """(sum of IoUs, matched, missed, spurious) of each class, from (found, truth) of each image."""
    rows = [[Fraction(0), 0, 0, 0] for _ in range(num_classes)]
    for found, truth in images:
        theirs, ours = pixels_of(truth), pixels_of(found)
        void = theirs.pop(None)
        ours.pop(None)
        done = set()
        for number, pixels in theirs.items():
            if number in truth.crowds:
                continue
            label = truth.labels[number]
            for other, claimed in ours.items():
                union = pixels | (claimed - void)
                if found.labels[other] != label or not union:
                    continue
                iou = Fraction(len(pixels & claimed), len(union))
                if iou > Fraction(1, 2):
                    rows[label][0] += iou
                    rows[label][1] += 1
                    done |= {("truth", number), ("found", other)}
            rows[label][2] += ("truth", number) not in done
        for other, claimed in ours.items():
            label = found.labels[other]
            free = set(void)
            for number in truth.crowds:
                free |= theirs[number] if truth.labels[number] == label else set()
            is_mistake = claimed and Fraction(len(claimed & free), len(claimed)) <= Fraction(1, 2)
            rows[label][3] += bool(is_mistake and ("found", other) not in done)
    return [tuple(row) for row in rows]


def random_image(rng: np.random.Generator) -> tuple[Segments, Segments]:
    """A truth with void and crowds, and a prediction that resembles it more or less."""
    size, count = rng.integers(1, 8, size=2), int(rng.integers(0, 5))
    numbers = rng.choice(2**24 - 1, count, replace=False) + 1
    coarse = rng.integers(0, count + 1, (2, 2)) if rng.random() < 0.8 else np.zeros((2, 2), int)
    places = np.kron(coarse, np.ones((4, 4), int))[: size[0], : size[1]]
    labels = {int(number): int(rng.integers(3)) for number in numbers}
    crowds = frozenset(number for number in labels if rng.random() < 0.25)
    truth = Segments(np.array([0, *numbers])[places], labels, crowds)
    changed = np.where(rng.random(places.shape) < rng.choice([0, 0.3, 1]), 0, places)
    if rng.random() < 0.3:
        changed = rng.integers(0, count + 1, places.shape)
    listed = [place for place in range(1, count + 1) if rng.random() < 0.9]
    guessed = {
        place: labels[int(numbers[place - 1])] if rng.random() < 0.7 else int(rng.integers(3))
        for place in listed
    }
    return Segments(changed, guessed), truth


def exactly(rows: list[ClassQuality]) -> list[tuple]:
    return [(one.ious, one.num_matched, one.num_missed, one.num_spurious) for one in rows]


def test_random_maps_by_sets_of_pixels() -> None:
    rng = np.random.default_rng(0)
    images = [random_image(rng) for _ in range(250)]
    for image in images:
        counted = exactly(class_qualities([match_segments(*image)], 3))
        expected = by_sets([image], 3)
        for row, wanted in zip(counted, expected, strict=True):
            assert row == pytest.approx((float(wanted[0]), *wanted[1:]), abs=1e-12)
    matches = [match_segments(*image) for image in images]
    totals = exactly(class_qualities(matches, 3))
    wanted = by_sets(images, 3)
    assert [row[1:] for row in totals] == [row[1:] for row in wanted]
    assert min(map(min, (row[1:] for row in totals))) > 10  # nothing of it was idle
    for order in (rng.permutation(len(matches)), rng.permutation(len(matches))):
        assert exactly(class_qualities([matches[i] for i in order], 3)) == totals


def image_of(rows: list[str], labels: dict[str, int], crowds: str = "") -> Segments:
    """A map in letters; dots are void."""
    ids = np.array([[0 if letter == "." else ord(letter) for letter in row] for row in rows])
    return Segments(
        ids, {ord(k): label for k, label in labels.items()}, frozenset(map(ord, crowds))
    )


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        # Half is not enough, and a pair that fails is missed and spurious.
        (["aa.."], ["a..."], (0, 0, 1, 1)),
        (["aaaa"], ["aaa."], (0.75, 1, 0, 0)),
        # Void is taken from the union, and forgives what is mostly in it.
        (["aa.."], ["aaaa"], (1, 1, 0, 0)),
        (["ab.."], ["..aa"], (0, 0, 1, 0)),
        (["aab."], [".aaa"], (0, 0, 1, 1)),
        # A crowd is neither found nor missed, and forgives only its own class.
        (["CCCC"], ["aaa."], (0, 0, 0, 0)),
        (["CCCC"], ["...."], (0, 0, 0, 0)),
        (["DDDD"], ["aaaa"], (0, 0, 0, 1)),
        (["C.bb"], ["aaa."], (0, 0, 0, 0)),
        (["C.bb"], ["aaaa"], (0, 0, 0, 1)),
    ],
)
def test_rules(truth: list[str], found: list[str], expected: tuple) -> None:
    labels = {"a": 0, "b": 1, "C": 0, "D": 1}
    there = {k: v for k, v in labels.items() if k in truth[0]}
    matches = match_segments(
        image_of(found, {k: v for k, v in labels.items() if k in found[0]}),
        image_of(truth, there, "".join(k for k in there if k in "CD")),
    )
    (row, _) = exactly(class_qualities([matches], 2))
    assert row == expected


def test_quality_and_its_mean() -> None:
    """By equation 1; a class that is nowhere is left out, one only predicted counts as 0."""
    one, only_predicted, nowhere = (
        ClassQuality(1.6, 2, 1, 3),
        ClassQuality(0.0, 0, 0, 1),
        ClassQuality(0.0, 0, 0, 0),
    )
    assert one.quality == (pytest.approx(1.6 / 4), pytest.approx(0.8), pytest.approx(0.5), 1)
    assert only_predicted.quality == (0, 0, 0, 1)
    mean = mean_quality([one, only_predicted, nowhere])
    assert mean == (pytest.approx(0.2), pytest.approx(0.4), pytest.approx(0.25), 2)
    assert math.isnan(mean_quality([nowhere]).pq)
    assert class_qualities([SegmentMatches()], 1) == [nowhere]


def test_real_segments(shared_data: Path) -> None:
    """Found perfectly they score 1, moved by 20 pixels what sets of pixels give."""
    folder = shared_data / "coco128_train" / "panoptic"
    content = read_panoptic(folder / "panoptic_train2017.json")
    classes = panoptic_classes(content)
    assert (len(classes.ids), classes.num_things) == (133, 80)
    label_of = {number: label for label, number in enumerate(classes.ids.values())}
    perfect, moved = [], []
    for annotation in content["annotations"][::2]:
        infos = annotation["segments_info"]
        ids = read_segment_ids(folder / "panoptic_train2017" / annotation["file_name"])
        labels = {one["id"]: label_of[one["category_id"]] for one in infos}
        crowds = frozenset(one["id"] for one in infos if one["iscrowd"])
        areas = dict(zip(*np.unique(ids, return_counts=True), strict=True))
        assert all(areas[one["id"]] == one["area"] for one in infos)
        truth = Segments(ids, labels, crowds)
        perfect.append((Segments(ids, labels), truth))
        moved.append((Segments(np.roll(ids, 20, axis=1), labels), truth))
    classes = class_qualities([match_segments(*image) for image in perfect], 133)
    assert mean_quality(classes)[:3] == (1, 1, 1)
    assert mean_quality(classes).num_classes > 90
    small = [tuple(s._replace(ids=s.ids[::5, ::5]) for s in image) for image in moved[:4]]
    counted = exactly(class_qualities([match_segments(*image) for image in small], 133))
    for row, wanted in zip(counted, by_sets(small, 133), strict=True):
        assert row == pytest.approx((float(wanted[0]), *wanted[1:]), abs=1e-12)
    assert 0 < mean_quality(class_qualities([match_segments(*i) for i in moved], 133)).pq < 1
