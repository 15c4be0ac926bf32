"""A two-stage detector's training copies no masks, and leaves its samples as they are."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmdet.models.detectors import TwoStageDetector, two_stage
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn


class Part(nn.Module):
    """A head that keeps what it is given."""

    def loss_and_predict(self, x, samples, proposal_cfg):
        self.samples = samples
        return {"loss_cls": torch.ones(())}, []

    def loss(self, x, proposals, samples):
        self.samples = samples
        return {"loss_bbox": torch.ones(())}


class Detector(TwoStageDetector):
    def __init__(self):
        nn.Module.__init__(self)
        self.rpn_head, self.roi_head = Part(), Part()
        self.train_cfg, self.test_cfg = {}, SimpleNamespace(rpn=None)

    def extract_feat(self, images):
        return images


@pytest.mark.parametrize("is_patched", [True, False])
def test_proposals_know_one_class_and_the_second_stage_all(
    is_patched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_patched:
        monkeypatch.setattr(two_stage, "copy", copy)
    sample = DetDataSample(metainfo=dict(img_shape=(8, 8)))
    sample.gt_instances = InstanceData(labels=torch.tensor([3, 5]), bboxes=torch.rand(2, 4))
    sample.ignored_instances = InstanceData(bboxes=torch.rand(1, 4))
    detector = Detector()
    assert set(detector.loss(torch.rand(1), [sample])) == {"rpn_loss_cls", "loss_bbox"}
    (first,), (second,) = detector.rpn_head.samples, detector.roi_head.samples
    assert second is sample and sample.gt_instances.labels.tolist() == [3, 5]
    assert first.gt_instances.labels.tolist() == [0, 0]
    assert first.img_shape == (8, 8)
    torch.testing.assert_close(first.gt_instances.bboxes, sample.gt_instances.bboxes)
    is_shared = first.gt_instances.bboxes is sample.gt_instances.bboxes
    assert is_shared == (first.ignored_instances is sample.ignored_instances) == is_patched
