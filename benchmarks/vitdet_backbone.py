"""ViTDet's backbone, as wide as ViT-S, against transformers': windows and relative positions."""

import functools

import torch
from backbone_peers import backbone_benchmark
from torch import Tensor, nn

from vitdet.backbones import VisionTransformer
from vitdet.checkpoints import load_checkpoint


class TransformersVitDet(nn.Module):
    """transformers' backbone; its relative positions learned for images of 512 pixels."""

    def __init__(self) -> None:
        from transformers import VitDetBackbone, VitDetConfig

        super().__init__()
        config = VitDetConfig(
            hidden_size=384,
            num_attention_heads=6,
            image_size=512,
            pretrain_image_size=224,
            window_size=14,
            window_block_indices=[index for index in range(12) if index % 3 != 2],
            use_relative_position_embeddings=True,
        )
        self.vit = VitDetBackbone(config)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.vit(images).feature_maps)


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return TransformersVitDet().vit.state_dict()


def vitdet_vitdet(size: tuple[int, int]) -> nn.Module:
    model = VisionTransformer(
        "small",
        drop_path_rate=0.0,
        window_size=14,
        use_rel_pos=True,
        rel_pos_img_size=512,
        out_strides=None,
    )
    load_checkpoint(model, weights())
    return model


def transformers_vitdet(size: tuple[int, int]) -> nn.Module:
    model = TransformersVitDet()
    model.vit.load_state_dict(weights())
    return model


BENCHMARK = backbone_benchmark(
    "ViTDet backbone of ViT-S's size, one image, autocast where bf16",
    {"vitdet": vitdet_vitdet, "transformers": transformers_vitdet},
)
