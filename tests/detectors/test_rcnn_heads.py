"""Our heads of R-CNN give the losses, gradients and predictions of mmdet's, and wait less."""

import copy
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tests import tiny_mask_rcnn
from tests.synchronisations import counted

SIZES = [(96, 128), (80, 100), (64, 128)]  # height and width of the images
OBJECTS = [4, 0, 6]


def sampler(num: int, share: float, *, adds_objects: bool) -> dict[str, Any]:
    return dict(type="RandomSampler", num=num, pos_fraction=share, add_gt_as_proposals=adds_objects)


def assigner(positive: float, negative: float, **options: Any) -> dict[str, Any]:
    return dict(type="MaxIoUAssigner", pos_iou_thr=positive, neg_iou_thr=negative, **options)


def two_stages(*, is_ours: bool, num: int, border: int = -1) -> ConfigDict:
    """Mask R-CNN. With a large `num` all is sampled, and nothing left to chance."""
    config = ConfigDict(tiny_mask_rcnn.model())
    share = 1.0 if num > 1000 else 0.5
    config.train_cfg = dict(
        rpn=dict(
            assigner=assigner(0.5, 0.3, min_pos_iou=0.3),
            sampler=sampler(num, share, adds_objects=False),
            allowed_border=border,
            pos_weight=-1,
        ),
        rpn_proposal=copy.deepcopy(config.test_cfg.rpn),
        rcnn=dict(
            assigner=assigner(0.5, 0.5, min_pos_iou=0.5),
            sampler=sampler(num, share, adds_objects=True),
            mask_size=14,
            pos_weight=-1,
        ),
    )
    if is_ours:
        config.rpn_head.type, config.roi_head.type = "vitdet.RPNHead", "vitdet.RoIHead"
    return config


def three_stages(*, is_ours: bool, num: int) -> ConfigDict:
    """Cascade Mask R-CNN; its first stage moves each class's box on its own."""
    config = two_stages(is_ours=is_ours, num=num, border=0)
    config.type = "CascadeRCNN"
    config.roi_head.update(
        type="vitdet.CascadeRoIHead" if is_ours else "CascadeRoIHead",
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
    )
    head, rcnn = config.roi_head.bbox_head, config.train_cfg.rcnn
    config.roi_head.bbox_head = [
        copy.deepcopy(head) | dict(reg_class_agnostic=stage > 0) for stage in range(3)
    ]
    config.train_cfg.rcnn = [copy.deepcopy(rcnn) for _ in range(3)]
    for stage, overlap in enumerate((0.4, 0.5, 0.6)):
        config.train_cfg.rcnn[stage].assigner = assigner(
            overlap, overlap, min_pos_iou=overlap, match_low_quality=False
        )
    return config


KINDS = {"mask": two_stages, "cascade": three_stages}


def build(config: ConfigDict) -> nn.Module:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(copy.deepcopy(config))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.05)
    return model.train()


def batch(counts: list[int]) -> tuple[Tensor, list[DetDataSample]]:
    generator = torch.Generator().manual_seed(0)
    height, width = (max(sides) for sides in zip(*SIZES, strict=True))
    images = torch.randn(len(SIZES), 3, height, width, generator=generator)
    samples = []
    for size, count in zip(SIZES, counts, strict=True):
        corners = torch.rand(count, 2, generator=generator) * 40
        boxes = torch.cat(
            [corners, corners + torch.rand(count, 2, generator=generator) * 24 + 16], 1
        )
        masks = torch.rand(count, height, width, generator=generator) < 0.7
        sample = DetDataSample(
            metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes,
            labels=torch.randint(3, (count,), generator=generator),
            masks=BitmapMasks(masks.numpy().astype("uint8"), height, width),
        )
        samples.append(sample)
    return images, samples


def learn(model: nn.Module, images: Tensor, samples: list[DetDataSample]) -> dict[str, Tensor]:
    """Losses, and gradients of all parameters, by name."""
    model.zero_grad()
    losses = model.loss(images, copy.deepcopy(samples))
    total, log = model.parse_losses(losses)
    total.backward()
    return {**log, **{name: parameter.grad for name, parameter in model.named_parameters()}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [OBJECTS, [0, 0, 0]], ids=["objects", "empty"])
def test_losses_and_gradients_of_mmdet(kind: str, counts: list[int]) -> None:
    images, samples = batch(counts)
    theirs = build(KINDS[kind](is_ours=False, num=10**6))
    ours = build(KINDS[kind](is_ours=True, num=10**6))
    ours.load_state_dict(theirs.state_dict())
    expected, found = (learn(model, images, samples) for model in (theirs, ours))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)
    if any(counts):
        masks = [value for name, value in expected.items() if name.endswith("loss_mask")]
        assert len(masks) in (1, 3) and all(value > 0.1 for value in masks)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_predictions_of_mmdet(kind: str) -> None:
    images, samples = batch(OBJECTS)
    theirs = build(KINDS[kind](is_ours=False, num=100)).eval()
    ours = build(KINDS[kind](is_ours=True, num=100)).eval()
    expected, found = (model.predict(images, copy.deepcopy(samples)) for model in (theirs, ours))
    for one, other in zip(found, expected, strict=True):
        one, other = one.pred_instances, other.pred_instances
        assert len(one) == len(other) == 10 and other.scores.std() > 0
        torch.testing.assert_close(one.bboxes, other.bboxes)
        torch.testing.assert_close(one.scores, other.scores)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.masks, other.masks)


@pytest.mark.parametrize("kind", KINDS)
def test_the_host_waits_little(kind: str) -> None:
    images, samples = batch(OBJECTS)
    model = build(KINDS[kind](is_ours=True, num=64))
    model.loss(images, copy.deepcopy(samples))  # lays out the anchors
    with counted() as waits:
        losses = model.loss(images, copy.deepcopy(samples))
    assert 0 < sum(waits.values()) <= 8, waits
    assert any(name.endswith("loss_mask") for name in losses)
    with counted() as waits:
        build(KINDS[kind](is_ours=False, num=64)).loss(images, copy.deepcopy(samples))
    assert sum(waits.values()) > 80, waits  # it does see mmdet's


@pytest.mark.parametrize(("kind", "most"), [("mask", 6), ("cascade", 14)])
@torch.no_grad()
def test_a_prediction_waits_little(kind: str, most: int) -> None:
    images, samples = (part[:1] for part in batch(OBJECTS))
    counts = []
    for is_ours in (True, False):
        config = KINDS[kind](is_ours=is_ours, num=64)
        if is_ours:
            config.roi_head.mask_head.type = "vitdet.FCNMaskHead"
        model = build(config).eval()
        model.predict(images, copy.deepcopy(samples))  # lays out the anchors
        with counted() as waits:
            (found,) = model.predict(images, copy.deepcopy(samples))
        assert found.pred_instances.masks.any()
        # Looked at are the heads, not how a CPU pastes masks.
        counts.append(waits.total() - waits["aten::_local_scalar_dense"] - waits["Tensor.numpy"])
    assert 0 < counts[0] <= most < counts[1]


def test_few_are_sampled() -> None:
    """As many regions reach the head as the recipe asks for."""
    images, samples = batch([6, 6, 6])
    model = build(two_stages(is_ours=True, num=32))
    seen = []
    head = model.roi_head.bbox_head
    head.register_forward_pre_hook(lambda head, inputs: seen.append(len(inputs[0])))
    losses = model.loss(images, copy.deepcopy(samples))
    assert seen == [32 * len(SIZES)]
    assert all(torch.isfinite(value).all() for value in losses.values())


@pytest.mark.slow
def test_fifty_steps_of_mmdet() -> None:
    """Training goes the same way; what differs in the last digits has not grown much."""
    images, samples = batch(OBJECTS)
    logs = []
    for is_ours in (False, True):
        model = build(two_stages(is_ours=is_ours, num=10**6))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        logs.append([])
        for _ in range(50):
            logs[-1].append(learn(model, images, samples)["loss"].item())
            optimizer.step()
    expected, found = torch.tensor(logs)
    assert expected[-1] < 0.9 * expected[0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)


def test_polygons_are_left_to_mmdet() -> None:
    images, samples = batch([4, 2, 3])
    for sample in samples:
        corners = sample.gt_instances.bboxes.numpy()
        outlines = [[box[[0, 1, 2, 1, 2, 3, 0, 3]]] for box in corners]
        sample.gt_instances.masks = PolygonMasks(outlines, *images.shape[2:])
    theirs = build(two_stages(is_ours=False, num=10**6))
    ours = build(two_stages(is_ours=True, num=10**6))
    expected, found = (learn(model, images, samples) for model in (theirs, ours))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_other_parts_are_left_to_mmdet() -> None:
    """A loss, a sampler and a suppression that are not known here."""
    images, samples = batch([4, 2, 3])
    models = []
    for is_ours in (False, True):
        config = two_stages(is_ours=is_ours, num=10**6)
        config.rpn_head.loss_cls = dict(type="FocalLoss", use_sigmoid=True)
        config.train_cfg.rcnn.sampler.type = "InstanceBalancedPosSampler"
        config.train_cfg.rpn_proposal.nms = dict(type="soft_nms", iou_threshold=0.7)
        if is_ours:
            config.rpn_head.type = "vitdet.RPNHead"
        models.append(build(config))
    expected, found = (learn(model, images, samples) for model in models)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)
