import copy
import pickle

import numpy as np
import pytest

from vitdet.datasets.packed_instances import pack_instances, unpack_instances

RUN_LENGTHS = dict(size=[4, 6], counts="04P1")


def instance(bbox, mask=None, **more):
    given = dict(ignore_flag=0, bbox=bbox, bbox_label=3, **more)
    return given if mask is None else dict(given, mask=mask)


@pytest.mark.parametrize(
    "instances",
    [
        [],
        [instance([1, 2, 3, 4])],
        [instance([0.1, 0.2, 0.1 + 0.2, 1 / 3], [[0.1 + 0.2, 1.25, 7]])],
        [instance([1.25, 2, 3, 4], [[1, 2, 3.07, 4], [], [5.5] * 8]), instance([5, 6, 7, 8], [])],
        [instance([1, 2, 3, 4], RUN_LENGTHS), instance([1, 2, 3, 4], [[1e9, -2e9, 1e308]])],
        [instance([1, 2, 3, 4], dict(size=[2, 2], counts=[0, 4]))],
        [instance([1, 2, 3, 4], ["1", "2"])],
        [instance([1, 2, 3, 4], [["1", "2"]])],
        [instance([1, 2, 3, 10**400])],
        [instance([1, 2, 3, 2**53 + 1])],
        [instance([1, 2, 3, float("inf")])],
        [instance([1, 2, 3, 4], [[1, None]])],
        [instance([1, 2, 3, 4], 5)],
        [instance([1, 2, 3, 4], keypoints=[1, 2, 2])],
    ],
)
def test_what_is_unpacked_equals_what_was_packed(instances) -> None:
    given = copy.deepcopy(instances)
    packed = pickle.loads(pickle.dumps(pack_instances(instances)))
    assert unpack_instances(packed) == instances == given


@pytest.mark.parametrize("decimals", [2, 17])
def test_many_numbers_come_back_exactly(decimals) -> None:
    generator = np.random.default_rng(0)
    boxes = generator.uniform(-10, 3000, (500, 4)).round(decimals).tolist()
    polygons = generator.uniform(-10, 3000, (500, 24)).round(decimals).tolist()
    instances = [instance(box, [one]) for box, one in zip(boxes, polygons, strict=True)]
    packed = pack_instances(instances)
    assert unpack_instances(packed) == instances
    size = len(pickle.dumps(packed)) / 500
    assert size < (150 if decimals == 2 else 280)
