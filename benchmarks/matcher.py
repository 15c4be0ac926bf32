"""Our matching of 6 decoder layers against DETR's, as transformers has it, and mmdet's (B5).

All find the same pairs from the same costs.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from harness import Benchmark, Case, Step
from torch import Tensor

from vitdet.set_prediction import HungarianMatcher, pad_targets
from vitdet.set_prediction.boxes import cxcywh_to_xyxy

NUM_LAYERS, NUM_CLASSES = 6, 91
MAX_OBJECTS = {"COCO": 20, "up to 60": 60, "dense": 80}  # 1 to so many an image
WEIGHTS = dict(class_cost=1, giou_cost=2)


def problem(
    case: Case, device: torch.device
) -> tuple[Tensor, Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """Logits and boxes of all layers, labels and boxes of each image."""
    generator = torch.Generator().manual_seed(0)
    batch = case.options["batch"]
    shape = (NUM_LAYERS, batch, case.options["queries"])
    logits = torch.randn(*shape, NUM_CLASSES + 1, generator=generator)
    boxes = torch.rand(*shape, 4, generator=generator) * 0.5 + 0.25
    most = case.options["objects"]
    counts = torch.randint(1, most + 1, (batch,), generator=generator).tolist()
    labels = [torch.randint(NUM_CLASSES, (n,), generator=generator).to(device) for n in counts]
    objects = [(torch.rand(n, 4, generator=generator) * 0.5 + 0.25).to(device) for n in counts]
    return logits.to(device), boxes.to(device), labels, objects


def vitdet_matcher(case: Case, device: torch.device) -> Step:
    logits, boxes, labels, objects = problem(case, device)
    matcher = HungarianMatcher(**WEIGHTS, l1_cost=5)

    def step() -> list[Tensor]:
        matches = matcher(logits, boxes, pad_targets(labels, objects))
        return [matches.queries.flatten(), matches.objects.flatten()]

    return step


def transformers_matcher(case: Case, device: torch.device) -> Step:
    from transformers.loss.loss_for_object_detection import HungarianMatcher as Matcher

    logits, boxes, labels, objects = problem(case, device)
    matcher = Matcher(**WEIGHTS, bbox_cost=5)
    targets: list[dict[str, Any]] = [
        {"class_labels": label, "boxes": box} for label, box in zip(labels, objects, strict=True)
    ]

    def step() -> list[Tensor]:
        pairs = [
            pair
            for layer in range(NUM_LAYERS)
            for pair in matcher({"logits": logits[layer], "pred_boxes": boxes[layer]}, targets)
        ]
        return [torch.cat([pair[side] for pair in pairs]).to(device) for side in (0, 1)]

    return step


def mmdet_matcher(case: Case, device: torch.device) -> Step:
    """mmdet's assigner of DETR, image by image; pairs by query, as it gives them."""
    from mmdet.models.task_modules.assigners import HungarianAssigner
    from mmengine.structures import InstanceData

    logits, boxes, labels, objects = problem(case, device)
    assigner = HungarianAssigner(
        match_costs=[
            dict(type="ClassificationCost", weight=1.0),
            dict(type="BBoxL1Cost", weight=5.0, box_format="xywh"),
            dict(type="IoUCost", iou_mode="giou", weight=2.0),
        ]
    )
    meta = dict(img_shape=(1.0, 1.0))  # boxes are shares of the image's sides
    truths = [
        InstanceData(bboxes=cxcywh_to_xyxy(one), labels=label)
        for label, one in zip(labels, objects, strict=True)
    ]

    def step() -> list[Tensor]:
        found = [
            assigner.assign(
                InstanceData(scores=layer_logits[i], bboxes=cxcywh_to_xyxy(layer_boxes[i])),
                truth,
                meta,
            ).gt_inds
            for layer_logits, layer_boxes in zip(logits, boxes, strict=True)
            for i, truth in enumerate(truths)
        ]
        queries = [one.nonzero().flatten() for one in found]
        pairs = zip(found, queries, strict=True)
        return [torch.cat(queries), torch.cat([one[chosen] - 1 for one, chosen in pairs])]

    return step


def cases(is_quick: bool) -> list[Case]:
    batches, queries = ((2,), (100,)) if is_quick else ((2, 8, 16, 32), (100, 300))
    return [
        Case(
            f"{batch} images, {num} queries, {kind}",
            dict(batch=batch, queries=num, objects=MAX_OBJECTS[kind]),
            tolerance=0.0,
        )
        for kind, num, batch in product(MAX_OBJECTS, queries, batches)
    ]


BENCHMARK = Benchmark(
    f"Matching of {NUM_LAYERS} layers, 1 to {MAX_OBJECTS['COCO']} (COCO), to 60 or to "
    f"{MAX_OBJECTS['dense']} (dense) objects an image",
    cases,
    {"vitdet": vitdet_matcher, "transformers": transformers_matcher, "mmdet": mmdet_matcher},
)
