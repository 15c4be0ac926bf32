"""Our Swin v2-T with windows of 8 against timm's and transformers': same maps, same weights."""

import functools
import re

import torch
from backbone_peers import backbone_benchmark, load_state
from torch import Tensor, nn

from vitdet.backbones import SwinTransformerV2
from vitdet.checkpoints import load_checkpoint

TRANSFORMERS_NAMES = (
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^patch_embed\.", "embeddings."),
    (r"^stages\.", "encoder.layers."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.cpb_mlp\.", ".attention.self.continuous_position_bias_mlp."),
    (r"\.attn\.q_bias$", ".attention.self.query.bias"),
    (r"\.attn\.v_bias$", ".attention.self.value.bias"),
    (r"\.attn\.", ".attention.self."),
)


@functools.cache
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return SwinTransformerV2("tiny").state_dict()


def vitdet_swin_v2(size: tuple[int, int]) -> nn.Module:
    model = SwinTransformerV2("tiny", drop_path_rate=0.0)
    load_checkpoint(model, weights())
    return model


class OutputNorms(nn.Module):
    """A peer with the output norms that detection adds."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({str(index): nn.LayerNorm(96 * 2**index) for index in range(4)})

    def normalized(self, maps: list[Tensor]) -> list[Tensor]:
        """Map maps: (B, H, W, C) to (B, C, H, W)."""
        return [
            norm(feature_map).permute(0, 3, 1, 2)
            for norm, feature_map in zip(self.norms.values(), maps, strict=True)
        ]


class TimmSwinV2(OutputNorms):
    def __init__(self, size: tuple[int, int]) -> None:
        import timm

        super().__init__()
        self.features = timm.create_model(
            "swinv2_tiny_window8_256", features_only=True, img_size=size, drop_path_rate=0.0
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.normalized(self.features(images))


def timm_swin_v2(size: tuple[int, int]) -> nn.Module:
    def next_stage(match: re.Match[str]) -> str:
        return f"features.layers_{int(match[1]) + 1}.downsample."

    state = {}
    for key, tensor in weights().items():
        key = re.sub(r"^stages\.(\d+)\.downsample\.", next_stage, key)
        key = re.sub(r"^stages\.", "features.layers_", key)
        state[re.sub(r"^patch_embed\.", "features.patch_embed.", key)] = tensor
    model = TimmSwinV2(size)
    load_state(model, state)
    return model


class TransformersSwinV2(OutputNorms):
    def __init__(self, size: tuple[int, int]) -> None:
        from transformers import Swinv2Config, Swinv2Model

        super().__init__()
        config = Swinv2Config(image_size=size, window_size=8, drop_path_rate=0.0)
        model = Swinv2Model(config, add_pooling_layer=False)
        self.embeddings, self.encoder = model.embeddings, model.encoder

    def forward(self, images: Tensor) -> list[Tensor]:
        x, size = self.embeddings(images)
        maps = []
        for stage in self.encoder.layers:
            x, before_downsample, sizes = stage(x, size)
            maps.append(before_downsample.unflatten(1, sizes[:2]))
            size = sizes[2:]
        return self.normalized(maps)


def transformers_swin_v2(size: tuple[int, int]) -> nn.Module:
    state = {}
    for key, tensor in weights().items():
        for pattern, replacement in TRANSFORMERS_NAMES:
            key = re.sub(pattern, replacement, key)
        if ".qkv." in key:
            parts = zip(("query", "key", "value"), tensor.chunk(3), strict=True)
            state |= {key.replace("qkv", name): part for name, part in parts}
        else:
            state[key] = tensor
    model = TransformersSwinV2(size)
    load_state(model, state)
    return model


BENCHMARK = backbone_benchmark(
    "Swin v2-T backbone, windows of 8, one image, autocast where bf16",
    {"vitdet": vitdet_swin_v2, "timm": timm_swin_v2, "transformers": transformers_swin_v2},
    # timm rolls before it pads, the others after. Where nothing is padded the maps agree.
    compared_size=(512, 512),
)
