"""Our ViT-S against timm's and transformers': the same maps of four depths, the same weights."""

import functools
import re

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import VisionTransformer
from vitdet.checkpoints import load_checkpoint

OUT_INDICES = (2, 5, 8, 11)


@functools.cache
def weights() -> dict[str, Tensor]:
    """In the layout of DeiT and timm."""
    torch.manual_seed(0)
    state = VisionTransformer("small", out_strides=None, final_norm=True).state_dict()
    positions = state.pop("pos_embed").flatten(2).transpose(1, 2)
    state["pos_embed"] = torch.cat([state.pop("token_pos_embed"), positions], 1)
    return state


def vitdet_vit(size: tuple[int, int]) -> nn.Module:
    model = VisionTransformer(
        "small", drop_path_rate=0.0, out_indices=OUT_INDICES, out_strides=None
    )
    load_checkpoint(model, weights())
    return model


def timm_vit(size: tuple[int, int]) -> nn.Module:
    import timm

    model = timm.create_model(
        "vit_small_patch16_224", features_only=True, out_indices=OUT_INDICES, dynamic_img_size=True
    )
    kept = {key: value for key, value in weights().items() if not key.startswith("norm.")}
    load_state(model, {f"model.{key}": value for key, value in kept.items()})
    return model


class TransformersViT(nn.Module):
    """transformers' model with its hidden states laid out as maps."""

    def __init__(self) -> None:
        from transformers import ViTConfig, ViTModel

        super().__init__()
        config = ViTConfig(
            hidden_size=384, num_attention_heads=6, intermediate_size=1536, layer_norm_eps=1e-6
        )
        self.vit = ViTModel(config, add_pooling_layer=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        grid = [side // 16 for side in images.shape[2:]]
        states = self.vit(
            images, interpolate_pos_encoding=True, output_hidden_states=True
        ).hidden_states
        return [
            states[index + 1][:, 1:].unflatten(1, grid).permute(0, 3, 1, 2) for index in OUT_INDICES
        ]


def transformers_vit(size: tuple[int, int]) -> nn.Module:
    renames = [
        (r"^(cls_token)$", r"embeddings.\1"),
        (r"^pos_embed$", "embeddings.position_embeddings"),
        (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
        (r"^norm\.", "layernorm."),
        (r"^blocks\.", "layers."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
        (r"\.attn\.proj\.", ".attention.o_proj."),
    ]
    state = {}
    for key, tensor in weights().items():
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        parts = {key: tensor}
        if ".attn.qkv." in key:
            names = [key.replace("attn.qkv", f"attention.{part}_proj") for part in "qkv"]
            parts = dict(zip(names, tensor.chunk(3), strict=True))
        state |= {f"vit.{name}": part for name, part in parts.items()}
    model = TransformersViT()
    load_state(model, state)
    return model


BENCHMARK = backbone_benchmark(
    "ViT-S backbone, one image, autocast where bf16",
    {"vitdet": vitdet_vit, "timm": timm_vit, "transformers": transformers_vit},
    # timm smooths positions when it resizes them, the others do not.
    compared_size=(224, 224),
)
