"""Assigned as by mmdet, image by image."""

from typing import Any

import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmengine.structures import InstanceData
from torch import Tensor

from vitdet.rcnn.assignment import assign, is_known
from vitdet.rcnn.objects import objects_of

RULES = {
    "rpn": dict(pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
    "rcnn": dict(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
    "cascade": dict(pos_iou_thr=0.6, neg_iou_thr=0.6, min_pos_iou=0.6, match_low_quality=False),
    "retinanet": dict(pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0.0),
    "one best": dict(pos_iou_thr=0.7, neg_iou_thr=0.3, gt_max_assign_all=False, min_pos_iou=0.1),
    "band": dict(pos_iou_thr=0.7, neg_iou_thr=(0.1, 0.3), min_pos_iou=0.3),
    "regions": dict(pos_iou_thr=0.5, neg_iou_thr=0.5, ignore_iof_thr=0.3),
    "regions of boxes": dict(
        pos_iou_thr=0.5, neg_iou_thr=0.5, ignore_iof_thr=0.3, ignore_wrt_candidates=False
    ),
}
COUNTS = (5, 0, 9, 1)  # objects of each image


def boxes(count: int, generator: torch.Generator) -> Tensor:
    """On a grid, so that many overlap equally."""
    corners = torch.randint(0, 12, (count, 2), generator=generator) * 4.0
    return torch.cat(
        [corners, corners + torch.randint(2, 6, (count, 2), generator=generator) * 4], 1
    )


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("all_there", [True, False])
def test_as_mmdet(name: str, all_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    rule = MaxIoUAssigner(**RULES[name])
    assert is_known(rule)
    priors = torch.stack([boxes(300, generator) for _ in COUNTS])
    instances = [
        InstanceData(bboxes=boxes(count, generator), labels=torch.arange(count)) for count in COUNTS
    ]
    regions: list[Any] = [InstanceData(bboxes=boxes(2, generator)) for _ in COUNTS]
    regions[0] = None
    is_box = torch.rand(priors.shape[:2], generator=generator) < 0.7
    if all_there:
        is_box[:] = True
    given = None if all_there else is_box
    found = assign(priors, given, objects_of(instances, regions), rule)

    kinds = set()
    for image, own in enumerate(instances):
        there = InstanceData(priors=priors[image, is_box[image]])
        expected = rule.assign(there, own, regions[image]).gt_inds
        assert torch.equal(found[image, is_box[image]], expected)
        assert (found[image, ~is_box[image]] == -1).all()
        kinds |= set(expected.clamp(max=1).tolist())
    assert {0, 1} <= kinds and (-1 in kinds) == (name not in ("rcnn", "cascade"))


def test_a_gpu_takes_all_images_together() -> None:
    """What devices other than a CPU do, done on one."""
    from vitdet.rcnn import assignment

    generator = torch.Generator().manual_seed(1)
    rule = MaxIoUAssigner(**RULES["rpn"])
    priors = torch.stack([boxes(200, generator) for _ in COUNTS])
    instances = [
        InstanceData(bboxes=boxes(count, generator), labels=torch.arange(count)) for count in COUNTS
    ]
    objects = objects_of(instances, [None] * len(COUNTS))
    together = assignment._assigned(priors, None, objects, rule)
    assert torch.equal(together, assign(priors, None, objects, rule))


def test_other_rules_are_not_known() -> None:
    class Own(MaxIoUAssigner):
        pass

    assert not is_known(Own(0.5, 0.5))
    assert not is_known(MaxIoUAssigner(0.5, 0.5, perm_repeat_gt_cfg=dict(iou_thr=0.9)))
