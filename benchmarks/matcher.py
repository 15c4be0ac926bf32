"""Our matching of 6 decoder layers against transformers': the same pairs from the same costs."""

from collections.abc import Sequence
from typing import Any

import torch
from harness import Benchmark, Case, Step
from torch import Tensor

from vitdet.set_prediction import HungarianMatcher, pad_targets

NUM_LAYERS, NUM_CLASSES, NUM_QUERIES, MAX_OBJECTS = 6, 91, 100, 60
WEIGHTS = dict(class_cost=1, giou_cost=2)


def problem(
    case: Case, device: torch.device
) -> tuple[Tensor, Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """Logits and boxes of all layers, labels and boxes of each image."""
    generator = torch.Generator().manual_seed(0)
    batch = case.options["batch"]
    shape = (NUM_LAYERS, batch, NUM_QUERIES)
    logits = torch.randn(*shape, NUM_CLASSES + 1, generator=generator)
    boxes = torch.rand(*shape, 4, generator=generator) * 0.5 + 0.25
    counts = torch.randint(1, MAX_OBJECTS + 1, (batch,), generator=generator).tolist()
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


def cases(is_quick: bool) -> list[Case]:
    return [
        Case(f"{batch} images", {"batch": batch}, tolerance=0.0)
        for batch in ((2,) if is_quick else (2, 8, 16))
    ]


BENCHMARK = Benchmark(
    f"Matching of {NUM_LAYERS} layers x {NUM_QUERIES} queries x 1 to {MAX_OBJECTS} objects",
    cases,
    {"vitdet": vitdet_matcher, "transformers": transformers_matcher},
)
