"""Our TNT-S against timm's: the same maps from the same weights."""

import functools

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import TNT
from vitdet.checkpoints import load_checkpoint

BLOCKS = (2, 5, 8, 11)


class TimmTNT(nn.Module):
    """timm's maps at four depths; as it takes one image size, it is built for the one timed."""

    def __init__(self, size: tuple[int, int]) -> None:
        import timm

        super().__init__()
        self.model = timm.create_model("tnt_s_patch16_224", img_size=size, num_classes=0)

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.model.forward_intermediates(
            images, indices=list(BLOCKS), intermediates_only=True
        )


@functools.cache
def weights(size: tuple[int, int]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return TimmTNT(size).model.state_dict()


def vitdet_tnt(size: tuple[int, int]) -> nn.Module:
    model = TNT("small", img_size=size, drop_path_rate=0.0, out_indices=BLOCKS, out_strides=None)
    load_checkpoint(model, weights(size))
    return model


def timm_tnt(size: tuple[int, int]) -> nn.Module:
    peer = TimmTNT(size)
    load_state(peer.model, weights(size))
    return peer


BENCHMARK = backbone_benchmark(
    "TNT-S backbone, one image, autocast where bf16", {"vitdet": vitdet_tnt, "timm": timm_tnt}
)
