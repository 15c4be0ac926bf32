"""Our YOLOS-Ti and -S against transformers': a training step and inference of one image."""

import functools
from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from harness import Benchmark, Case, Step
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from vitdet.checkpoints import load_checkpoint
from vitdet.detectors import YOLOS
from vitdet.detectors.yolos import ARCHS
from vitdet.set_prediction.boxes import cxcywh_to_xyxy

NUM_CLASSES, NUM_OBJECTS = 91, 7


@functools.cache
def weights(arch: str) -> dict[str, Tensor]:
    """Those of a random transformers model, or of ours where transformers is not installed."""
    torch.manual_seed(0)
    try:
        return transformers_model(arch, "eager").state_dict()
    except ImportError:
        return YOLOS(arch, NUM_CLASSES).state_dict()


def transformers_model(arch: str, attention: str) -> nn.Module:
    from transformers import YolosConfig, YolosForObjectDetection

    size = ARCHS[arch]
    config = YolosConfig(
        hidden_size=size.embed_dims,
        num_hidden_layers=size.depth,
        num_attention_heads=size.num_heads,
        intermediate_size=4 * size.embed_dims,
        image_size=list(size.img_size),
        use_mid_position_embeddings=size.mid_img_size is not None,
        num_labels=NUM_CLASSES,
        layer_norm_eps=1e-6,  # the authors', and ours; fresh tokens are so small that it shows
    )
    return YolosForObjectDetection._from_config(config, attn_implementation=attention)


def problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """An image, and the labels and boxes (cxcywh) of the objects in it."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, *case.options["size"], generator=generator)
    labels = torch.randint(NUM_CLASSES, (NUM_OBJECTS,), generator=generator)
    boxes = torch.rand(NUM_OBJECTS, 4, generator=generator) * 0.3 + 0.3
    return image.to(device), labels.to(device), boxes.to(device)


def vitdet_yolos(case: Case, device: torch.device) -> Step:
    arch = case.options["arch"]
    model = YOLOS(arch, NUM_CLASSES)
    load_checkpoint(model, weights(arch))
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


def transformers_yolos(attention: str, case: Case, device: torch.device) -> Step:
    arch = case.options["arch"]
    model = transformers_model(arch, attention)
    model.load_state_dict(weights(arch))
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
    models = (("tiny", (256, 320)),) if is_quick else (("tiny", (512, 672)), ("small", (512, 672)))
    return [
        Case(
            f"{arch} {size[0]}x{size[1]} {'training step' if is_training else 'inference'}",
            {"arch": arch, "size": size, "is_training": is_training},
            tolerance=1e-3,
        )
        for (arch, size), is_training in product(models, (False, True))
    ]


BENCHMARK = Benchmark(
    "YOLOS, one image, fp32",
    cases,
    {
        "vitdet": vitdet_yolos,
        "eager": functools.partial(transformers_yolos, "eager"),
        "fused": functools.partial(transformers_yolos, "sdpa"),
    },
)
