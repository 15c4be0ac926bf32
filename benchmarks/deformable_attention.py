"""Multi-scale deformable attention at DINO's sizes against mmcv's own composition of `grid_sample`.

Eight heads of 32 channels, four points on each of four levels of a 1333x800 image, from stride 8:
in the encoder each of the 22,223 tokens asks, in the decoder 900 queries.
"""

from collections.abc import Callable, Sequence

import torch
from harness import Benchmark, Case, Step
from torch import Tensor

import vitdet  # noqa: F401  mmcv cannot be imported before it

SHAPES = torch.tensor([[100, 167], [50, 84], [25, 42], [13, 21]])
SMALL_SHAPES = torch.tensor([[20, 30], [10, 15], [5, 8], [3, 4]])
NUM_HEADS, HEAD_DIM, NUM_POINTS = 8, 32, 4


def problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, shapes of the levels, locations some pixels around each query's own, and weights."""
    generator = torch.Generator().manual_seed(0)
    shapes = case.options["shapes"]
    sizes = shapes.flip(1)
    if case.options["queries"] is None:  # those of the encoder: the tokens themselves
        grids = [torch.cartesian_prod(torch.arange(h), torch.arange(w)) for h, w in shapes.tolist()]
        centres = [(grid.flip(1) + 0.5) / size for grid, size in zip(grids, sizes, strict=True)]
        places = torch.cat(centres)
    else:
        places = torch.rand(case.options["queries"], 2, generator=generator)
    shape = (1, len(places), NUM_HEADS, len(shapes), NUM_POINTS)
    offsets = 2 * torch.randn(*shape, 2, generator=generator)
    locations = places[:, None, None, None] + offsets / sizes[:, None]
    weights = torch.randn(shape, generator=generator).flatten(3).softmax(-1).view(shape)
    num_tokens = int(shapes.prod(dim=1).sum())
    value = torch.randn(1, num_tokens, NUM_HEADS, HEAD_DIM, generator=generator)
    return value.to(device), shapes.to(device), locations.to(device), weights.to(device)


def step_of(attend: Callable[..., Tensor], case: Case, device: torch.device) -> Step:
    value, shapes, locations, weights = problem(case, device)
    leaves = [value, locations, weights]
    if not case.options["backward"]:
        return lambda: [attend(value, shapes, locations, weights)]
    for leaf in leaves:
        leaf.requires_grad_()

    def step() -> Sequence[Tensor]:
        output = attend(value, shapes, locations, weights)
        return [output.detach(), *torch.autograd.grad(output.square().sum(), leaves)]

    return step


def vitdet_attention(case: Case, device: torch.device) -> Step:
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return step_of(multi_scale_deformable_attn_pytorch, case, device)


def mmcv_attention(case: Case, device: torch.device) -> Step:
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return step_of(multi_scale_deformable_attn_pytorch.__wrapped__, case, device)


def cases(is_quick: bool) -> list[Case]:
    return [
        case_of(SMALL_SHAPES if is_quick else SHAPES, queries=queries, backward=backward)
        for queries in (None, 900)
        for backward in (False, True)
    ]


def case_of(shapes: Tensor, *, queries: int | None, backward: bool) -> Case:
    """One case, compared on small maps.

    Both peers round a place to float32 in their own way, and among millions of samples some then
    lie on the other side of a pixel's centre, where the gradient jumps.
    """
    name = "decoder" if queries else "encoder"
    compared_on = None
    if shapes is not SMALL_SHAPES:
        compared_on = case_of(SMALL_SHAPES, queries=queries, backward=backward)
    return Case(
        f"{name} {'forward+backward' if backward else 'forward'}",
        dict(shapes=shapes, queries=queries, backward=backward),
        tolerance=1e-4,
        compared_on=compared_on,
    )


BENCHMARK = Benchmark(
    "Multi-scale deformable attention, 8 heads of 32 channels, 4 levels, 4 points",
    cases,
    {"vitdet": vitdet_attention, "mmcv": mmcv_attention},
)
