"""mmcv's operators on our kernels against the torchvision kernels under them, at real sizes.

Both call the same kernels; the difference is what mmcv's Python side and our bridges cost.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from harness import Benchmark, Case, Step
from torch import Tensor
from torchvision import ops

import vitdet  # noqa: F401  mmcv cannot be imported before it

NUM_CHANNELS, IOU_THRESHOLD, NUM_CLASSES = 256, 0.5, 80
MAP_SIZES = {"roi_align": (200, 304), "deform": (50, 76)}  # strides 4 and 16 of 800x1216
SMALL_MAP = (10, 14)
Function = Callable[..., Tensor]


def boxes_in(size: tuple[int, int], num_boxes: int, random: torch.Generator) -> Tensor:
    """(num_boxes, 4) x1, y1, x2, y2 of all sizes, about an eighth of the image long."""
    height, width = size
    image = torch.tensor([width, height])
    centre = torch.rand(num_boxes, 2, generator=random) * image
    half = torch.rand(num_boxes, 2, generator=random).square() * image * 3 / 16
    return torch.cat([centre - half, centre + half], dim=1)


def problem(case: Case, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    """Differentiable operands, and the others."""
    random = torch.Generator().manual_seed(0)
    operator, count = case.options["operator"], case.options["boxes"]
    if "nms" in operator:
        boxes = boxes_in((800, 1216), count, random)
        classes = torch.randint(NUM_CLASSES, (count,), generator=random)
        return [], [boxes.to(device), torch.rand(count, generator=random).to(device), classes]
    height, width = case.options["size"]
    x = torch.randn(1, NUM_CHANNELS, height, width, generator=random)
    if operator == "roi_align":
        rois = 4 * boxes_in((height, width), count, random)
        return [x.to(device)], [torch.cat([torch.zeros(count, 1), rois], dim=1).to(device)]
    offset = 2 * torch.randn(1, 18, height, width, generator=random)
    weight = torch.randn(NUM_CHANNELS, NUM_CHANNELS, 3, 3, generator=random) / 48
    operands = [x, offset, weight]
    if operator == "deform_conv_v2":
        operands.append(torch.rand(1, 9, height, width, generator=random))
    return [operand.to(device) for operand in operands], []


def step_of(functions: dict[str, Function], case: Case, device: torch.device) -> Step:
    function = functions[case.options["operator"]]
    leaves, constants = problem(case, device)
    if not case.options["backward"]:
        return lambda: [function(*leaves, *constants)]
    for leaf in leaves:
        leaf.requires_grad_()
    upstream = torch.ones_like(function(*leaves, *constants))  # in memory, as a head's gradient is

    def step() -> Sequence[Tensor]:
        output = function(*leaves, *constants)
        return [output.detach(), *torch.autograd.grad(output, leaves, upstream)]

    return step


def vitdet_ops(case: Case, device: torch.device) -> Step:
    from mmcv.ops import batched_nms, deform_conv2d, modulated_deform_conv2d, nms, roi_align

    settings = {"type": "nms", "iou_threshold": IOU_THRESHOLD}
    functions: dict[str, Function] = {
        "nms": lambda boxes, scores, _: nms(boxes, scores, IOU_THRESHOLD)[1],
        "batched_nms": lambda *operands: batched_nms(*operands, settings)[1],
        "roi_align": lambda x, rois: roi_align(x, rois, (7, 7), 0.25, 0, "avg", True),
        "deform_conv_v1": lambda x, offset, weight: deform_conv2d(x, offset, weight, 1, 1),
        "deform_conv_v2": lambda x, offset, weight, mask: modulated_deform_conv2d(
            x, offset, mask, weight, None, 1, 1
        ),
    }
    return step_of(functions, case, device)


def torchvision_ops(case: Case, device: torch.device) -> Step:
    def nms_of_classes(boxes: Tensor, scores: Tensor, classes: Tensor) -> Tensor:
        """Each class on an image of its own, which is what mmcv does below 10,000 boxes."""
        shift = classes.to(boxes) * (boxes.max() + 1)
        return ops.nms(boxes + shift[:, None], scores, IOU_THRESHOLD)

    functions: dict[str, Function] = {
        "nms": lambda boxes, scores, _: ops.nms(boxes, scores, IOU_THRESHOLD),
        "batched_nms": nms_of_classes,
        "roi_align": lambda x, rois: ops.roi_align(x, rois, (7, 7), 0.25, 0, True),
        "deform_conv_v1": lambda x, offset, weight: ops.deform_conv2d(x, offset, weight, padding=1),
        "deform_conv_v2": lambda x, offset, weight, mask: ops.deform_conv2d(
            x, offset, weight, padding=1, mask=mask
        ),
    }
    return step_of(functions, case, device)


def cases(is_quick: bool) -> list[Case]:
    def case(operator: str, size: tuple[int, int], boxes: int, backward: bool) -> Case:
        options: dict[str, Any] = dict(operator=operator, size=size, boxes=boxes, backward=backward)
        direction = " forward+backward" if backward else " forward"
        name = operator if "nms" in operator else operator + direction
        return Case(name, options, tolerance=1e-5)

    map_size = SMALL_MAP if is_quick else None
    number = 50 if is_quick else 2000
    return [
        *(case(operator, SMALL_MAP, number, False) for operator in ("nms", "batched_nms")),
        *(
            case("roi_align", map_size or MAP_SIZES["roi_align"], 8 if is_quick else 512, backward)
            for backward in (False, True)
        ),
        *(
            case(f"deform_conv_{version}", map_size or MAP_SIZES["deform"], 0, backward)
            for version in ("v1", "v2")
            for backward in (False, True)
        ),
    ]


BENCHMARK = Benchmark(
    "mmcv's operators: 2,000 boxes, 512 rois on 200x304, 3x3 convolutions on 50x76, 256 channels",
    cases,
    {"vitdet": vitdet_ops, "torchvision": torchvision_ops},
)
