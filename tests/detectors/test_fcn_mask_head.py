"""Our mask heads paste what mmdet's paste."""

import pytest
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead as MMFCNMaskHead
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from vitdet.detectors import FCNMaskHead


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("class_agnostic", [True, False])
@pytest.mark.parametrize("threshold", [0.5, 0.3, -1])
def test_masks_are_mmdets(rescale: bool, class_agnostic: bool, threshold: float) -> None:
    options = dict(num_convs=1, in_channels=4, conv_out_channels=4, num_classes=3)
    heads = [cls(**options, class_agnostic=class_agnostic) for cls in (FCNMaskHead, MMFCNMaskHead)]
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(9, 2, 2, generator=generator) * 60
    boxes = torch.cat([corners.amin(1), corners.amax(1) + 2], dim=1)
    logits = torch.randn(9, 1 if class_agnostic else 3, 28, 28, generator=generator)
    meta = dict(ori_shape=(45, 50), scale_factor=(1.25, 1.3))
    results = []
    for head in heads:
        labels = torch.arange(9) % 3
        found = [
            InstanceData(bboxes=boxes.clone(), labels=labels, scores=torch.ones(9)) for _ in "a"
        ]
        config = ConfigDict(mask_thr_binary=threshold)
        (one,) = head.predict_by_feat((logits,), found, [meta], config, rescale)
        results.append(one)
    ours, theirs = results
    assert ours.masks.dtype == theirs.masks.dtype
    assert torch.equal(ours.masks, theirs.masks) and ours.masks.float().mean() > 0.05
    torch.testing.assert_close(ours.bboxes, theirs.bboxes)


def test_parameters_are_mmdets() -> None:
    ours, theirs = FCNMaskHead(num_classes=2), MMFCNMaskHead(num_classes=2)
    assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_an_image_without_objects() -> None:
    found = [InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))]
    meta = dict(ori_shape=(45, 50), scale_factor=(1.0, 1.0))
    config = ConfigDict(mask_thr_binary=0.5)
    head = FCNMaskHead(num_classes=2)
    (one,) = head.predict_by_feat((torch.zeros(0, 2, 28, 28),), found, [meta], config, True)
    assert one.masks.shape == (0, 45, 50)
