"""Our PVT-T against mmdet's and transformers': the same maps from the same weights."""

import functools
import re

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import PyramidVisionTransformer

DEPTHS = [2, 2, 2, 2]


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return PyramidVisionTransformer("tiny").state_dict()


def vitdet_pvt(size: tuple[int, int]) -> nn.Module:
    model = PyramidVisionTransformer("tiny", drop_path_rate=0.0)
    load_state(model, weights())
    return model


def mmdet_pvt(size: tuple[int, int]) -> nn.Module:
    from mmdet.models.backbones import PyramidVisionTransformer as MmdetPVT

    def next_block(match: re.Match[str]) -> str:
        return f"layers.{match[1]}.1.{int(match[2]) + 1}."

    renames = [
        (r"^stages\.(\d)\.patch_embed\.proj\.", r"layers.\1.0.projection."),
        (r"^stages\.(\d)\.patch_embed\.", r"layers.\1.0."),
        (r"^stages\.(\d)\.pos_embed$", r"layers.\1.1.0.pos_embed"),
        (r"^stages\.(\d)\.blocks\.(\d+)\.", next_block),
        (r"\.mlp\.fc1\.", ".ffn.layers.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.3."),
        (r"\.attn\.proj\.", ".attn.attn.out_proj."),
    ]
    state = {}
    for key, tensor in weights().items():
        if ".attn.kv." in key:
            continue
        if ".attn.q." in key:
            tensor = torch.cat([tensor, weights()[key.replace(".q.", ".kv.")]])
            key = key.replace(".attn.q.", ".attn.attn.in_proj_")
        if key.endswith("pos_embed"):
            tensor = tensor.flatten(2).transpose(1, 2)
        if key.endswith((".fc1.weight", ".fc2.weight")):
            tensor = tensor[..., None, None]
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        state[key] = tensor
    model = MmdetPVT(num_layers=DEPTHS, drop_path_rate=0.0)
    load_state(model, state)
    return model


class TransformersPVT(nn.Module):
    """The encoder's stages, without class token, position of the size given, and maps kept."""

    def __init__(self, size: tuple[int, int]) -> None:
        from transformers import PvtConfig, PvtModel

        super().__init__()
        config = PvtConfig(depths=DEPTHS, drop_path_rate=0.0, attn_implementation="eager")
        encoder = PvtModel(config).encoder
        self.embeddings, self.blocks = encoder.patch_embeddings, encoder.block
        for stage, embedding in enumerate(self.embeddings):
            # It resizes positions only where they stay as many, so they are given at their size.
            embedding.cls_token = None
            sides = [side // 2 ** (stage + 2) for side in size]
            dim = config.hidden_sizes[stage]
            embedding.position_embeddings = nn.Parameter(torch.empty(1, sides[0] * sides[1], dim))

    def forward(self, images: Tensor) -> list[Tensor]:
        x, maps = images, []
        for embedding, blocks in zip(self.embeddings, self.blocks, strict=True):
            tokens, height, width = embedding(x)
            for block in blocks:
                tokens = block(tokens, height, width)[0]
            x = tokens.transpose(1, 2).unflatten(2, (height, width)).contiguous()
            maps.append(x)
        return maps


def transformers_pvt(size: tuple[int, int]) -> nn.Module:
    renames = [
        (r"^stages\.(\d)\.patch_embed\.proj\.", r"embeddings.\1.projection."),
        (r"^stages\.(\d)\.patch_embed\.norm\.", r"embeddings.\1.layer_norm."),
        (r"^stages\.(\d)\.pos_embed$", r"embeddings.\1.position_embeddings"),
        (r"^stages\.(\d)\.blocks\.", r"blocks.\1."),
        (r"\.norm([12])\.", r".layer_norm_\1."),
        (r"\.mlp\.fc([12])\.", r".mlp.dense\1."),
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"\.attn\.q\.", ".attention.self.query."),
        (r"\.attn\.sr\.", ".attention.self.sequence_reduction."),
        (r"\.attn\.norm\.", ".attention.self.layer_norm."),
    ]
    state = {}
    for key, tensor in weights().items():
        if key.endswith("pos_embed"):
            stage = int(key.split(".")[1])
            sides = [side // 2 ** (stage + 2) for side in size]
            tensor = nn.functional.interpolate(tensor, size=sides, mode="bilinear")
            tensor = tensor.flatten(2).transpose(1, 2)
        if ".attn.kv." in key:
            for part, half in zip(("key", "value"), tensor.chunk(2), strict=True):
                name = re.sub(r"^stages\.(\d)\.blocks\.", r"blocks.\1.", key)
                state[name.replace(".attn.kv.", f".attention.self.{part}.")] = half
            continue
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        state[key] = tensor
    model = TransformersPVT(size)
    load_state(model, state)
    return model


BENCHMARK = backbone_benchmark(
    "PVT-T backbone, one image, autocast where bf16",
    {"vitdet": vitdet_pvt, "mmdet": mmdet_pvt, "transformers": transformers_pvt},
)
