"""What the benchmarks of backbones share: their cases, and a step that returns what must agree."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import torch
from harness import Benchmark, Case, Step
from torch import Tensor, nn

from vitdet.compat.cpu_amp import has_bfloat16

SIZES = ((512, 512), (800, 1216))
QUICK_SIZES = ((256, 320),)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TOLERANCES = {"fp32": 1e-3, "bf16": 0.1}
MODES = ("forward", "forward+backward")


def backbone_benchmark(
    title: str,
    peers: Mapping[str, Callable[[tuple[int, int]], nn.Module]],
    *,
    compared_size: tuple[int, int] | None = None,
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> Benchmark:
    """A benchmark of one backbone as several libraries write it.

    Args:
        title: one line above the table.
        peers: name -> function of the image size (H, W) that builds the backbone, ours first, all
            with the same weights; called on images: (1, 3, H, W), each returns the same maps.
        compared_size: where outputs are compared, if they do not agree at the sizes timed.
        sizes: image sizes (H, W) that are timed.
    """

    def case(size: tuple[int, int], dtype: str, mode: str) -> Case:
        agrees = compared_size in (None, size)
        return Case(
            f"{size[0]}x{size[1]} {dtype} {mode}",
            {"size": size, "dtype": DTYPES[dtype], "has_backward": mode != "forward"},
            tolerance=TOLERANCES[dtype],
            compared_on=None if agrees else case(compared_size, dtype, mode),
        )

    def cases(is_quick: bool) -> list[Case]:
        chosen = QUICK_SIZES if is_quick else sizes
        # A CPU that emulates bfloat16 says nothing about it.
        dtypes = DTYPES if torch.cuda.is_available() or has_bfloat16() else ("fp32",)
        return [case(*options) for options in product(chosen, dtypes, MODES)]

    def builder(build: Callable[[tuple[int, int]], nn.Module]) -> Callable[..., Step]:
        return lambda case, device: step_of(build(case.options["size"]), case, device)

    return Benchmark(title, cases, {name: builder(build) for name, build in peers.items()})


def step_of(model: nn.Module, case: Case, device: torch.device) -> Step:
    """A step on one image under autocast, that returns the maps or a gradient."""
    model = model.to(device)
    dtype = case.options["dtype"]
    images = torch.randn(
        1, 3, *case.options["size"], generator=torch.Generator().manual_seed(0)
    ).to(device)

    def run() -> Sequence[Tensor]:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return model(images)

    def forward() -> Sequence[Tensor]:
        with torch.no_grad():
            return run()

    def forward_and_backward() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        # Smooth, and not the square: its mean is constant after a norm.
        sum(feature_map.float().cos().mean() for feature_map in run()).backward()
        embedding = next(p for p in model.parameters() if p.ndim == 4 and p.shape[1] == 3)
        return [embedding.grad]  # of the patches, which take RGB

    return forward_and_backward if case.options["has_backward"] else forward


def load_state(model: nn.Module, state: Mapping[str, Tensor], *, computed: str = "$") -> None:
    """Load all that the model does not compute by itself, the keys that end in `computed`."""
    keys = model.load_state_dict(state, strict=False)
    missing = [key for key in keys.missing_keys if not key.endswith(computed)]
    if missing or keys.unexpected_keys:
        raise KeyError(f"missing {missing}, unexpected {keys.unexpected_keys}")
