"""A training step of Mask R-CNN (losses, backward, AdamW): ours, mmdet's and torchvision's."""

from collections.abc import Callable, Sequence

import torch
from harness import Benchmark, Case, Step
from rcnn_peers import (
    Losses,
    mmdet_losses,
    mmdet_swin,
    torchvision_losses,
    torchvision_resnet,
    vitdet_resnet,
    vitdet_swin,
)
from torch import Tensor, nn

BUILDERS = {
    ("swin", "vitdet"): (vitdet_swin, mmdet_losses),
    ("swin", "peer"): (mmdet_swin, mmdet_losses),
    ("resnet", "vitdet"): (vitdet_resnet, mmdet_losses),
    ("resnet", "peer"): (torchvision_resnet, torchvision_losses),
}
IMAGES = 2


def step_of(whose: str) -> Callable[[Case, torch.device], Step]:
    def build(case: Case, device: torch.device) -> Step:
        model, losses = BUILDERS[case.options["backbone"], whose]
        model = model().to(device).train()
        return train_step(model, losses(model, case.options["size"], IMAGES))

    return build


def train_step(model: nn.Module, losses: Losses) -> Step:
    """AdamW is fused where ours is: an optimizer is chosen by the user, not by a detector."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.05, fused=True)

    def step() -> Sequence[Tensor]:
        torch.manual_seed(0)
        optimizer.zero_grad(set_to_none=True)
        loss = sum(
            value if isinstance(value, Tensor) else sum(value)
            for name, value in losses().items()
            if "loss" in name
        )
        loss.backward()
        optimizer.step()
        return [loss.detach().reshape(1)]

    return step


def cases(is_quick: bool) -> list[Case]:
    size = (160, 160) if is_quick else (320, 320)
    names = {"swin": "Swin-T, mmdet", "resnet": "ResNet-50, torchvision"}
    # The samples are drawn at random, by each in its own way.
    return [
        Case(f"{name} {size[0]}x{size[1]}", dict(backbone=key, size=size), tolerance=0.05)
        for key, name in names.items()
    ]


BENCHMARK = Benchmark(
    f"Training step of Mask R-CNN, {IMAGES} images, fp32",
    cases,
    {"vitdet": step_of("vitdet"), "peer": step_of("peer")},
)
