"""Training a set predictor, the host waits for its device at most twice."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from tests.synchronisations import counted
from vitdet.backbones import ResNet
from vitdet.detectors import DETR, YOLOS


def detr() -> DETR:
    backbone = ResNet("resnet18", base_channels=8, out_indices=(3,))
    return DETR(backbone, 3, num_queries=7, embed_dims=16, num_heads=2, feedforward_channels=16)


def yolos() -> YOLOS:
    sizes = dict(embed_dims=16, depth=2, num_heads=2, patch_size=8)
    return YOLOS(sizes, 3, num_queries=7, mid_img_size=40)


@pytest.mark.parametrize("build", [detr, yolos])
def test_the_host_waits_little(build: type[BaseModel]) -> None:
    torch.manual_seed(0)
    model = build().train()
    samples = []
    for count in (3, 0):
        sample = DetDataSample(metainfo=dict(img_shape=(64, 64), ori_shape=(64, 64)))
        corners = torch.rand(count, 2) * 30
        boxes = torch.cat([corners, corners + 20], dim=1)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(count))
        samples.append(sample)
    images = torch.randn(2, 3, 64, 64)
    with counted() as waits:
        model.loss(images, samples)
    assert 0 < sum(waits.values()) <= 2, waits
