"""As many samples as mmdet's, chosen without preference."""

import pytest
import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import RandomSampler
from mmengine.structures import InstanceData

from vitdet.rcnn.sampling import sample

ASSIGNED = torch.tensor(
    [
        [1, 1, 2, 2, 3, 3, 0, 0, 0, 0, 0, -1, -1, -1],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 2, -1],
        [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2],
    ]
)


@pytest.mark.parametrize("num", [6, 8, 100])
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("bound", [-1, 0, 1, 3])
def test_numbers_of_mmdet(num: int, share: float, bound: int) -> None:
    sampler = RandomSampler(num, share, bound, add_gt_as_proposals=False)
    samples = sample(ASSIGNED, sampler)
    for image, assigned in enumerate(ASSIGNED):
        count = len(assigned)
        given = AssignResult(3, assigned.clone(), torch.zeros(count), torch.zeros(count).long())
        expected = sampler.sample(
            given,
            InstanceData(priors=torch.rand(count, 4)),
            InstanceData(bboxes=torch.rand(3, 4), labels=torch.arange(3)),
        )
        there, is_object = samples.is_there[image], samples.is_object[image]
        places = samples.places[image][there]
        assert len(places.unique()) == len(places)
        assert is_object.sum() == len(expected.pos_inds)
        assert there.sum() == len(expected.pos_inds) + len(expected.neg_inds)
        assert not (is_object & ~there).any()
        assert torch.equal(is_object[there], assigned[places] > 0)
        assert (assigned[places] >= 0).all()


def test_each_is_chosen_as_often() -> None:
    torch.manual_seed(0)
    sampler = RandomSampler(4, 0.5, add_gt_as_proposals=False)
    assigned = ASSIGNED[:1].expand(4000, -1)
    samples = sample(assigned, sampler)
    counts = samples.places.flatten().bincount(minlength=14) / len(assigned)
    # 2 of 6 objects, 2 of 5 of background; a standard deviation is below 0.008.
    expected = torch.tensor([1 / 3] * 6 + [2 / 5] * 5 + [0.0] * 3)
    torch.testing.assert_close(counts, expected, rtol=0, atol=0.035)
