"""Our PVT v2 B1 against timm's, mmdet's and transformers': same maps from the same weights."""

import functools
import re

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import PyramidVisionTransformerV2


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return PyramidVisionTransformerV2("b1").state_dict()


def vitdet_pvt(size: tuple[int, int]) -> nn.Module:
    model = PyramidVisionTransformerV2("b1", drop_path_rate=0.0)
    load_state(model, weights())
    return model


def timm_pvt(size: tuple[int, int]) -> nn.Module:
    import timm

    renames = [
        (r"^stages\.0\.patch_embed\.", "patch_embed."),
        (r"^stages\.(\d)\.patch_embed\.", r"stages_\1.downsample."),
        (r"^stages\.", "stages_"),
    ]
    model = timm.create_model("pvt_v2_b1", features_only=True, drop_path_rate=0.0)
    load_state(model, _renamed(weights(), renames))
    return model


def mmdet_pvt(size: tuple[int, int]) -> nn.Module:
    from mmdet.models.backbones import PyramidVisionTransformerV2 as MmdetPVT

    renames = [
        (r"^stages\.(\d)\.patch_embed\.proj\.", r"layers.\1.0.projection."),
        (r"^stages\.(\d)\.patch_embed\.", r"layers.\1.0."),
        (r"^stages\.(\d)\.blocks\.", r"layers.\1.1."),
        (r"^stages\.(\d)\.norm\.", r"layers.\1.2."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0."),
        (r"\.mlp\.dwconv\.", ".ffn.layers.1."),
        (r"\.mlp\.fc2\.", ".ffn.layers.4."),
        (r"\.attn\.proj\.", ".attn.attn.out_proj."),
        (r"\.attn\.q\.", ".attn.attn.in_proj_"),
    ]
    state = {}
    for key, tensor in weights().items():
        if ".attn.q." in key:
            tensor = torch.cat([tensor, weights()[key.replace(".q.", ".kv.")]])
        if key.endswith((".fc1.weight", ".fc2.weight")):
            tensor = tensor[..., None, None]
        if ".attn.kv." not in key:
            state[key] = tensor
    model = MmdetPVT(embed_dims=64, num_layers=[2, 2, 2, 2], drop_path_rate=0.0)
    load_state(model, _renamed(state, renames))
    return model


class TransformersPVT(nn.Module):
    """Hidden states are its maps."""

    def __init__(self) -> None:
        from transformers import PvtV2Config, PvtV2Model

        super().__init__()
        config = PvtV2Config(
            hidden_sizes=[64, 128, 320, 512], depths=[2, 2, 2, 2], drop_path_rate=0.0
        )
        self.model = PvtV2Model(config)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.model(images, output_hidden_states=True).hidden_states


def transformers_pvt(size: tuple[int, int]) -> nn.Module:
    renames = [
        (r"^stages\.(\d)\.patch_embed\.proj\.", r"stages.\1.patch_embedding.proj."),
        (r"^stages\.(\d)\.patch_embed\.norm\.", r"stages.\1.patch_embedding.layer_norm."),
        (r"^stages\.(\d)\.norm\.", r"stages.\1.layer_norm."),
        (r"^stages\.", "model.encoder.layers."),
        (r"\.attn\.sr\.", ".attention.spatial_reduction."),
        (r"\.attn\.norm\.", ".attention.layer_norm."),
        (r"\.attn\.q\.", ".attention.query."),
        (r"\.attn\.", ".attention."),
        (r"\.norm([12])\.", r".layer_norm_\1."),
        (r"\.mlp\.fc([12])\.", r".mlp.dense\1."),
        (r"\.mlp\.dwconv\.", ".mlp.dwconv.dwconv."),
    ]
    state = {}
    for key, tensor in weights().items():
        if ".attn.kv." in key:
            for part, half in zip(("key", "value"), tensor.chunk(2), strict=True):
                state[key.replace(".kv.", f".{part}.")] = half
        else:
            state[key] = tensor
    model = TransformersPVT()
    load_state(model, _renamed(state, renames))
    return model


def _renamed(state: dict[str, Tensor], renames: list[tuple[str, str]]) -> dict[str, Tensor]:
    renamed = {}
    for key, tensor in state.items():
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        renamed[key] = tensor
    return renamed


BENCHMARK = backbone_benchmark(
    "PVT v2 B1 backbone, one image, autocast where bf16",
    {"vitdet": vitdet_pvt, "timm": timm_pvt, "mmdet": mmdet_pvt, "transformers": transformers_pvt},
)
