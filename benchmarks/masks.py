"""Masks of 100 boxes pasted into an image and run-length coded (B8).

mmdet pastes box by box on a CPU; `whole image` is its way on a GPU, run here on the CPU.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from harness import Benchmark, Case, Step
from pycocotools import mask as coco_mask
from torch import Tensor

from vitdet.evaluation.mask_pasting import paste_masks
from vitdet.evaluation.rle import encode_masks

NUM_MASKS, SIDE = 100, 28


def problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor]:
    """Probabilities (N, 28, 28) and boxes (N, 4): a third of the image's side and less, mostly."""
    generator = torch.Generator().manual_seed(0)
    height, width = case.options["size"]
    short = min(height, width)
    side = (torch.randn(NUM_MASKS, generator=generator) * 0.9 + math.log(0.12)).exp() * short
    side = side.clamp(8, 0.95 * short)
    aspect = (torch.randn(NUM_MASKS, generator=generator) * 0.4).exp()
    w, h = (side * aspect).clamp(max=0.98 * width), (side / aspect).clamp(max=0.98 * height)
    x = torch.rand(NUM_MASKS, generator=generator) * (width - w)
    y = torch.rand(NUM_MASKS, generator=generator) * (height - h)
    blobs = torch.randn(NUM_MASKS, 1, 7, 7, generator=generator) * 2 + 1
    blobs = torch.nn.functional.interpolate(blobs, size=SIDE, mode="bicubic").sigmoid()[:, 0]
    return blobs.to(device), torch.stack([x, y, x + w, y + h], dim=1).to(device)


def areas(codes: list[dict]) -> list[Tensor]:
    """Pixels of each mask: rounding may move a pixel that is on the threshold to 1e-7."""
    return [torch.from_numpy(coco_mask.area(codes).astype(np.int64))]


def vitdet_masks(case: Case, device: torch.device) -> Step:
    probabilities, boxes = problem(case, device)

    def step() -> list[Tensor]:
        masks = paste_masks(probabilities, boxes, case.options["size"])
        return areas(encode_masks(masks))

    return step


def mmdet_masks(*, skip_empty: bool) -> Callable[[Case, torch.device], Step]:
    def build(case: Case, device: torch.device) -> Step:
        from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
        from mmdet.structures.mask import encode_mask_results

        probabilities, boxes = problem(case, device)
        size = case.options["size"]
        chunks = torch.arange(NUM_MASKS, device=device).chunk(NUM_MASKS if skip_empty else 1)

        def step() -> list[Tensor]:
            masks = torch.zeros(NUM_MASKS, *size, dtype=torch.bool, device=device)
            for some in chunks:
                pasted, place = _do_paste_mask(
                    probabilities[some][:, None], boxes[some], *size, skip_empty=skip_empty
                )
                masks[(some, *place)] = pasted >= 0.5
            return areas(encode_mask_results(masks.cpu().numpy()))

        return step

    return build


def cases(is_quick: bool) -> list[Case]:
    sizes = [(120, 160)] if is_quick else [(480, 640), (800, 1333)]
    two_pixels = 2 / (NUM_MASKS * NUM_MASKS)  # of the smallest case's largest mask
    return [Case(f"{h}x{w}", {"size": (h, w)}, tolerance=two_pixels) for h, w in sizes]


BENCHMARK = Benchmark(
    f"{NUM_MASKS} masks of boxes pasted and run-length coded",
    cases,
    {
        "vitdet": vitdet_masks,
        "mmdet": mmdet_masks(skip_empty=True),
        "whole image": mmdet_masks(skip_empty=False),
    },
)
