"""Our Swin-T against mmdet's and timm's: the same maps from the same weights."""

import functools
import re
from collections.abc import Mapping

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import SwinTransformer
from vitdet.checkpoints import load_checkpoint


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return SwinTransformer("tiny").state_dict()


def vitdet_swin(size: tuple[int, int]) -> nn.Module:
    model = SwinTransformer("tiny", drop_path_rate=0.0)
    load_checkpoint(model, weights())
    return model


def in_mmdet_layout(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under mmdet's and mmseg's names, with its patch merging reordered."""
    renames = [
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"\.attn\.", ".attn.w_msa."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.1."),
        (r"^norms\.", "norm"),
    ]
    state = {}
    for key, tensor in weights.items():
        if ".downsample." in key:  # (column, row, C) to (C, row, column)
            tensor = tensor.unflatten(-1, (2, 2, -1)).transpose(-1, -3).flatten(-3)
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        state[key] = tensor
    return state


def mmdet_swin(size: tuple[int, int]) -> nn.Module:
    from mmdet.models.backbones import SwinTransformer as MmdetSwin

    model = MmdetSwin(drop_path_rate=0.0)
    load_state(model, in_mmdet_layout(weights()), computed="relative_position_index")
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


BENCHMARK = backbone_benchmark(
    "Swin-T backbone, one image, autocast where bf16",
    {"vitdet": vitdet_swin, "mmdet": mmdet_swin, "timm": timm_swin},
    # timm rolls before it pads, the others after. Where nothing is padded the maps agree.
    compared_size=(448, 448),
    sizes=((640, 640), (800, 1216)),
)
