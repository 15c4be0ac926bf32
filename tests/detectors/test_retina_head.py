"""Our head of RetinaNet gives the losses and gradients of mmdet's, and waits for nothing."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict

from tests import tiny_mask_rcnn
from tests.detectors.test_rcnn_heads import OBJECTS, assigner, batch, build, learn
from tests.synchronisations import counted


def retinanet(*, is_ours: bool, border: int = -1) -> ConfigDict:
    config = ConfigDict(tiny_mask_rcnn.model())
    for part in ("rpn_head", "roi_head"):
        del config[part]
    config.update(
        type="RetinaNet",
        bbox_head=dict(
            type="vitdet.RetinaHead" if is_ours else "RetinaHead",
            num_classes=3,
            in_channels=16,
            feat_channels=16,
            stacked_convs=1,
            anchor_generator=dict(
                type="AnchorGenerator",
                octave_base_scale=4,
                scales_per_octave=3,
                ratios=[0.5, 1.0, 2.0],
                strides=[4, 8, 16, 32, 64],
            ),
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_cls=dict(type="FocalLoss", use_sigmoid=True),
            loss_bbox=dict(type="L1Loss"),
        ),
        train_cfg=dict(
            assigner=assigner(0.5, 0.4, min_pos_iou=0),
            sampler=dict(type="PseudoSampler"),
            allowed_border=border,
            pos_weight=-1,
        ),
        test_cfg=None,
    )
    return config


@pytest.mark.parametrize("border", [-1, 0])
@pytest.mark.parametrize("counts", [OBJECTS, [0, 0, 0]], ids=["objects", "empty"])
def test_losses_and_gradients_of_mmdet(border: int, counts: list[int]) -> None:
    images, samples = batch(counts)
    theirs, ours = (build(retinanet(is_ours=o, border=border)) for o in (False, True))
    ours.load_state_dict(theirs.state_dict())
    expected, found = (learn(model, images, samples) for model in (theirs, ours))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_the_host_does_not_wait() -> None:
    images, samples = batch(OBJECTS)
    model = build(retinanet(is_ours=True))
    with counted() as waits:
        model.loss(images, copy.deepcopy(samples))
    assert not waits
