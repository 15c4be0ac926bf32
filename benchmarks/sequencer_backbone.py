"""Our Sequencer2D-S against timm's: the same maps from the same weights."""

import functools
import re

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import Sequencer2D
from vitdet.checkpoints import load_checkpoint


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return Sequencer2D("small", out_strides=None).state_dict()


def vitdet_sequencer(size: tuple[int, int]) -> nn.Module:
    """The maps as they are: timm has no pyramid to compare."""
    model = Sequencer2D("small", out_strides=None, drop_path_rate=0.0)
    load_checkpoint(model, weights())
    return model


class TimmSequencer(nn.Module):
    def __init__(self) -> None:
        import timm

        super().__init__()
        self.features = timm.create_model(
            "sequencer2d_s", features_only=True, out_indices=(0, 1, 2, 3)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        return [feature_map.permute(0, 3, 1, 2) for feature_map in self.features(images)]


def timm_sequencer(size: tuple[int, int]) -> nn.Module:
    def next_stage(match: re.Match[str]) -> str:
        return f"features.stages_{int(match[1]) + 1}.downsample.down."

    renames = [
        (r"^patch_embed\.", "features.stem."),
        (r"^stages\.(\d+)\.downsample\.proj\.", next_stage),
        (r"^stages\.", "features.stages_"),
        (r"\.mlp\.", ".mlp_channels."),
    ]
    state = {}
    for key, tensor in weights().items():
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        state[key] = tensor
    model = TimmSequencer()
    load_state(model, state)
    return model


BENCHMARK = backbone_benchmark(
    "Sequencer2D-S backbone, one image, autocast where bf16",
    {"vitdet": vitdet_sequencer, "timm": timm_sequencer},
)
