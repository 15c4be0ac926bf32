"""Our DETR-R50 against transformers': a training step and inference of one image."""

import functools
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from harness import Benchmark, Case, Step
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from vitdet.backbones import ResNet
from vitdet.checkpoints import load_checkpoint
from vitdet.detectors import DETR
from vitdet.set_prediction.boxes import cxcywh_to_xyxy

NUM_CLASSES, NUM_OBJECTS = 91, 7
TRAINED_STAGES = ("layer2", "layer3", "layer4")


@functools.cache
def weights() -> dict[str, Tensor]:
    """Those of a random transformers model, or of ours where transformers is not installed."""
    torch.manual_seed(0)
    try:
        return transformers_model("eager").state_dict()
    except ImportError:
        return vitdet_model().state_dict()


def vitdet_model() -> DETR:
    return DETR(ResNet("resnet50", out_indices=(3,), frozen_stages=1), NUM_CLASSES, dropout=0.0)


def transformers_model(attention: str) -> nn.Module:
    """Theirs, with the stem and the first stage frozen like ours."""
    from transformers import DetrConfig, DetrForObjectDetection

    config = DetrConfig(
        num_labels=NUM_CLASSES,
        backbone="resnet50",
        use_timm_backbone=True,
        use_pretrained_backbone=False,
        backbone_config=None,
        auxiliary_loss=True,
        dropout=0.0,
    )
    model = DetrForObjectDetection._from_config(config, attn_implementation=attention)
    for name, parameter in model.named_parameters():
        if "backbone" in name and not any(stage in name for stage in TRAINED_STAGES):
            parameter.requires_grad_(False)
    return model


def problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """An image, and the labels and boxes (cxcywh) of the objects in it."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, *case.options["size"], generator=generator)
    labels = torch.randint(NUM_CLASSES, (NUM_OBJECTS,), generator=generator)
    boxes = torch.rand(NUM_OBJECTS, 4, generator=generator) * 0.3 + 0.3
    return image.to(device), labels.to(device), boxes.to(device)


def vitdet_detr(case: Case, device: torch.device) -> Step:
    model = vitdet_model()
    load_checkpoint(model, weights())
    model.to(device).train(case.options["is_training"])
    image, labels, boxes = problem(case, device)
    size = case.options["size"]
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    scale = boxes.new_tensor([size[1], size[0]] * 2)
    sample.gt_instances = InstanceData(bboxes=cxcywh_to_xyxy(boxes) * scale, labels=labels)

    def train() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        losses = model.loss(image, [sample])
        loss = sum(value for name, value in losses.items() if name.startswith("loss"))
        loss.backward()
        return [loss.detach()]

    def predict() -> Sequence[Tensor]:
        with torch.no_grad():
            decoded = model.decode(image)
        return [decoded.logits[-1], decoded.boxes[-1]]

    return train if case.options["is_training"] else predict


def transformers_detr(attention: str, case: Case, device: torch.device) -> Step:
    model = transformers_model(attention)
    model.load_state_dict(weights())
    model.to(device).train(case.options["is_training"])
    image, labels, boxes = problem(case, device)
    targets: list[dict[str, Any]] = [{"class_labels": labels, "boxes": boxes}]

    def train() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        loss = model(pixel_values=image, labels=targets).loss
        loss.backward()
        return [loss.detach()]

    def predict() -> Sequence[Tensor]:
        with torch.no_grad():
            outputs = model(pixel_values=image)
        return [outputs.logits, outputs.pred_boxes]

    return train if case.options["is_training"] else predict


def cases(is_quick: bool) -> list[Case]:
    sizes = ((256, 320),) if is_quick else ((512, 672), (800, 1088))
    return [
        Case(
            f"{size[0]}x{size[1]} {'training step' if is_training else 'inference'}",
            {"size": size, "is_training": is_training},
            tolerance=1e-3,
        )
        for size, is_training in product(sizes, (False, True))
    ]


BENCHMARK = Benchmark(
    "DETR-R50, one image, fp32",
    cases,
    {
        "vitdet": vitdet_detr,
        "eager": functools.partial(transformers_detr, "eager"),
        "fused": functools.partial(transformers_detr, "sdpa"),
    },
)
