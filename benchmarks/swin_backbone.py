"""Our Swin-T against mmdet's and timm's: the same maps from the same weights."""

import functools
import re
from collections.abc import Callable, Sequence
from itertools import product

import torch
from harness import Benchmark, Case, Step
from torch import Tensor, nn

from vitdet.backbones import SwinTransformer
from vitdet.checkpoints import load_checkpoint

SIZES = ((640, 640), (800, 1216))
QUICK_SIZES = ((256, 320),)
# timm rolls before it pads, the others after. Where nothing is padded the maps agree.
COMPARED_SIZE = (448, 448)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TOLERANCES = {"fp32": 1e-3, "bf16": 0.1}
MODES = ("forward", "forward+backward")


def cases(is_quick: bool) -> list[Case]:
    sizes = QUICK_SIZES if is_quick else SIZES
    return [case(*options) for options in product(sizes, DTYPES, MODES)]


def case(size: tuple[int, int], dtype: str, mode: str) -> Case:
    return Case(
        f"{size[0]}x{size[1]} {dtype} {mode}",
        {"size": size, "dtype": DTYPES[dtype], "has_backward": mode != "forward"},
        tolerance=TOLERANCES[dtype],
        compared_on=None if size == COMPARED_SIZE else case(COMPARED_SIZE, dtype, mode),
    )


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
        return [next(p for p in model.parameters() if p.ndim == 4).grad]  # patch embedding

    return forward_and_backward if case.options["has_backward"] else forward


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return SwinTransformer("tiny").state_dict()


def vitdet_swin() -> nn.Module:
    model = SwinTransformer("tiny", drop_path_rate=0.0)
    load_checkpoint(model, weights())
    return model


def mmdet_swin() -> nn.Module:
    """mmdet's, with its patch merging reordered to ours."""
    from mmdet.models.backbones import SwinTransformer as MmdetSwin

    renames = [
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"\.attn\.", ".attn.w_msa."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.1."),
        (r"^norms\.", "norm"),
    ]
    state = {}
    for key, tensor in weights().items():
        if ".downsample." in key:  # (column, row, C) to (C, row, column)
            tensor = tensor.unflatten(-1, (2, 2, -1)).transpose(-1, -3).flatten(-3)
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        state[key] = tensor
    model = MmdetSwin(drop_path_rate=0.0)
    load_state(model, state, computed="relative_position_index")
    return model


class TimmSwin(nn.Module):
    """timm's features with the output norms that detection adds."""

    def __init__(self, size: tuple[int, int]) -> None:
        import timm

        super().__init__()
        self.features = timm.create_model(
            "swin_tiny_patch4_window7_224", features_only=True, img_size=size, drop_path_rate=0.0
        )
        self.norms = nn.ModuleDict({str(index): nn.LayerNorm(96 * 2**index) for index in range(4)})

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.features(images)
        return [
            self.norms[str(index)](feature_map).permute(0, 3, 1, 2)
            for index, feature_map in enumerate(maps)
        ]


def timm_swin(size: tuple[int, int]) -> nn.Module:
    def next_stage(match: re.Match[str]) -> str:
        return f"features.layers_{int(match[1]) + 1}.downsample."

    state = {}
    for key, tensor in weights().items():
        key = re.sub(r"^stages\.(\d+)\.downsample\.", next_stage, key)
        key = re.sub(r"^stages\.", "features.layers_", key)
        state[re.sub(r"^patch_embed\.", "features.patch_embed.", key)] = tensor
    model = TimmSwin(size)
    load_state(model, state, computed="attn_mask")
    return model


def load_state(model: nn.Module, state: dict[str, Tensor], *, computed: str) -> None:
    """Load all that the model does not compute by itself."""
    keys = model.load_state_dict(state, strict=False)
    missing = [key for key in keys.missing_keys if not key.endswith(computed)]
    if missing or keys.unexpected_keys:
        raise KeyError(f"missing {missing}, unexpected {keys.unexpected_keys}")


def builder(build: Callable[..., nn.Module]) -> Callable[[Case, torch.device], Step]:
    def build_step(case: Case, device: torch.device) -> Step:
        takes_size = build is timm_swin
        model = build(case.options["size"]) if takes_size else build()
        return step_of(model, case, device)

    return build_step


BENCHMARK = Benchmark(
    title="Swin-T backbone, one image, autocast where bf16",
    cases=cases,
    peers={
        "vitdet": builder(vitdet_swin),
        "mmdet": builder(mmdet_swin),
        "timm": builder(timm_swin),
    },
)
