"""An update of Mask R-CNN's weights: clipped gradients, AdamW, moving average (B12)."""

import copy
from collections.abc import Callable

import torch
from harness import Benchmark, Case, Step
from mmengine.model import BaseAveragedModel, ExponentialMovingAverage
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from vitdet.engine.config import load_model_config
from vitdet.engine.ema import MovingAverage
from vitdet.engine.fused_optimizer import fused_optimizer, merge_groups

CONFIG = "swin_maskrcnn_coco"
CLIP = 35.0  # far above the norm of these gradients, like a training's


def updater(
    average: Callable[[nn.Module], BaseAveragedModel], wrap: Callable[..., OptimWrapper]
) -> Callable[[Case, torch.device], Step]:
    def build(case: Case, device: torch.device) -> Step:
        config = load_model_config(CONFIG)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope("mmdet"):
            model = MODELS.build(config["model"]).to(device)
        if case.options["is_part"]:
            model = model.backbone
        wrapper = wrap(model, {**config["optim_wrapper"], "clip_grad": dict(max_norm=CLIP)})
        averaged = average(model)
        generator = torch.Generator().manual_seed(1)
        trained = [p for p in model.parameters() if p.requires_grad]
        for parameter in trained:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.grad = (noise * 1e-3).to(device)

        def step() -> list[Tensor]:
            wrapper._clip_grad()
            wrapper.optimizer.step()
            averaged.update_parameters(model)
            return [trained[0].detach(), trained[-1].detach()]

        return step

    return build


def plain_wrapper(model: nn.Module, config: dict) -> OptimWrapper:
    return build_optim_wrapper(model, copy.deepcopy(config))


def fused_wrapper(model: nn.Module, config: dict) -> OptimWrapper:
    wrapper = build_optim_wrapper(model, fused_optimizer(copy.deepcopy(config), "mmengine"))
    merge_groups(wrapper.optimizer)
    return wrapper


def cases(is_quick: bool) -> list[Case]:
    part = Case("Swin-T", {"is_part": True}, tolerance=1e-5)
    whole = Case("Mask R-CNN Swin-T", {"is_part": False}, tolerance=1e-5)
    return [part] if is_quick else [part, whole]


BENCHMARK = Benchmark(
    "Clipped gradients, AdamW, moving average of the weights",
    cases,
    {
        "vitdet": updater(MovingAverage, fused_wrapper),
        "mmengine": updater(ExponentialMovingAverage, plain_wrapper),
    },
)
