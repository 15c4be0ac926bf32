"""Attention is found where it was planted, and without a capture nothing is done."""

import copy
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from vitdet.backbones import (
    TNT,
    FocalTransformer,
    PyramidVisionTransformer,
    PyramidVisionTransformerV2,
    SwinTransformer,
    SwinTransformerV2,
    VisionTransformer,
)
from vitdet.backbones.focal import FocalBlock
from vitdet.insight.attention_capture import attention_layers, capture_attention
from vitdet.insight.token_layout import Grid

TINY = 1e-12  # more than the weights of exp(-100) across the seams of a shifted map
SMALL = dict(embed_dims=16, depths=(2, 2), num_heads=(2, 2))


def backbones() -> Iterator[tuple[str, nn.Module]]:
    torch.manual_seed(0)
    plain = dict(embed_dims=16, depth=2, num_heads=2, patch_size=8, img_size=32)
    yield "vit", VisionTransformer("tiny", **plain)
    yield "deit", VisionTransformer("tiny", **plain, with_distillation_token=True)
    yield (
        "vitdet",
        VisionTransformer(
            "tiny", **plain, window_size=3, global_attn_indices=(1,), use_rel_pos=True
        ),
    )
    yield "swin", SwinTransformer("tiny", **SMALL, window_size=4, out_indices=(0, 1))
    yield "swinv2", SwinTransformerV2("tiny", **SMALL, window_size=4, out_indices=(0, 1))
    pvt = dict(embed_dims=(16, 16), depths=(1, 1), num_heads=(2, 2), mlp_ratios=(2, 2))
    pvt |= dict(sr_ratios=(2, 1), out_indices=(0, 1))
    yield "pvt", PyramidVisionTransformer(**pvt, pretrain_img_size=32)
    yield "pvt_class", PyramidVisionTransformer(**pvt, pretrain_img_size=32, final_norm=True)
    yield "pvtv2", PyramidVisionTransformerV2(**pvt)
    yield "pvtv2_linear", PyramidVisionTransformerV2("b2_linear", **pvt)
    yield "tnt", TNT("small", embed_dims=16, inner_dims=8, depth=2, num_heads=2, inner_num_heads=2)
    focal = dict(window_size=4, expand_sizes=2, focal_windows=3, focal_levels=2, out_indices=(0, 1))
    yield "focal", FocalTransformer("tiny", **SMALL, **focal)


BACKBONES = dict(backbones())


@pytest.fixture
def images() -> Tensor:
    return torch.randn(1, 3, 44, 60, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", BACKBONES)
def test_all_layers_are_seen_and_the_output_stays(name: str, images: Tensor) -> None:
    backbone = BACKBONES[name].eval()
    with torch.no_grad():
        plain = backbone(images)
        with capture_attention(backbone) as layers:
            asked = backbone(images)
    for one, other in zip(plain, asked, strict=True):
        assert torch.equal(one, other)
    assert list(layers) == list(attention_layers(backbone))
    assert not any(module._forward_pre_hooks for module in backbone.modules())
    assert not any(module._forward_hooks for module in backbone.modules())
    for layer in layers.values():
        torch.testing.assert_close(layer.weights.sum(-1), torch.ones(layer.weights.shape[:-1]))
        _, num_windows, _, num_queries, num_keys = layer.weights.shape
        assert layer.layout.queries.shape == (num_windows, num_queries)
        assert layer.layout.keys.shape == (num_windows, num_keys)
        assert -(-images.shape[3] // layer.grid.stride) <= layer.grid.width + 1


@pytest.mark.parametrize("name", BACKBONES)
def test_attention_reaches_as_far_as_the_output(name: str, images: Tensor) -> None:
    """A token's output changes with exactly those tokens that it is said to attend to.

    The gradient of a layer's output is the judge: it knows of no windows.
    """
    backbone = BACKBONES[name].eval()
    with torch.no_grad(), capture_attention(backbone) as layers:
        inputs = inputs_of_attention(backbone, images)
    for layer_name, module in attention_layers(backbone).items():
        layer = layers[layer_name]
        if layer_name.endswith(".inner"):  # patch by patch
            continue
        args, kwargs = inputs[module]
        x = args[0].detach().clone().requires_grad_()
        out = module(x, *args[1:], **kwargs)
        grid = layer.grid
        row, column = grid.height // 2, grid.width - 1
        place = grid.first + row * grid.width + column
        out.flatten(1, -2)[0, place].sum().backward()
        reached = x.grad.flatten(1, -2)[0].abs().sum(-1)[grid.first :][: grid.num_places]
        is_reached = (reached > TINY).unflatten(0, (grid.height, grid.width))
        is_said = layer.of_place(row, column).sum(0) > TINY
        is_reached[row, column] = is_said[row, column] = True
        if name == "focal":  # pooled tokens are made before the layer
            assert is_said[is_reached].all()
        else:
            assert torch.equal(is_reached, is_said)


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "pvtv2_linear"])
def test_weights_lie_where_the_values_come_from(name: str, images: Tensor) -> None:
    """Where values are the tokens themselves, a layer's output is the sum of the map's tokens by
    the weights that are said: through shifted windows, reduced keys, and what is pooled.
    """
    backbone = copy.deepcopy(BACKBONES[name]).eval()
    calls: dict[str, tuple[Tensor, Tensor]] = {}

    def note(name: str, module: nn.Module, args: tuple, output: Tensor) -> None:
        calls[name] = args[0], output

    with torch.no_grad(), capture_attention(backbone) as layers:
        let_values_be_tokens(backbone)
        for layer_name, module in attention_layers(backbone).items():
            module.register_forward_hook(partial(note, layer_name))
        backbone(images)
    for layer_name, layer in layers.items():
        grid, heads = layer.grid, layer.num_heads
        x, out = (on_map(one, grid) for one in calls[layer_name])
        before, tokens = x.unflatten(-1, (heads, -1)).split([grid.first, grid.num_places])
        for place in range(0, grid.num_places, 7):
            taken = layer.of_place(*divmod(place, grid.width)).flatten(1)  # (num_heads, H * W)
            expected = torch.einsum("hk,khd->hd", taken, tokens)
            if grid.first:
                to_class = layer.weights[0, 0, :, grid.first + place, : grid.first]
                expected = expected + torch.einsum("hk,khd->hd", to_class, before)
            found = out[grid.first + place]
            torch.testing.assert_close(found, expected.flatten(), atol=1e-5, rtol=1e-4)


def on_map(x: Tensor, grid: Grid) -> Tensor:
    """The tokens (B, N, C) or (B, H, W, C) of one image in the order of its map, (N, C)."""
    if x.shape[0] == 1:
        return x.flatten(1, -2)[0]
    side = round(x.shape[1] ** 0.5)  # TNT's tokens of each patch
    x = x.view(grid.height // side, grid.width // side, side, side, -1)
    return x.transpose(1, 2).flatten(0, 3)


def let_values_be_tokens(backbone: nn.Module) -> None:
    """Make values and outputs of all attention layers identities, and reductions averages."""
    for module in backbone.modules():
        if isinstance(module, FocalBlock):
            for pool in module.pool_layers:
                pool.weight.fill_(1 / pool.in_features)
                pool.bias.zero_()
        if not hasattr(module, "num_heads"):
            continue
        dim = module.proj.in_features
        values = module.kv if hasattr(module, "kv") else module.qkv
        values.weight[-dim:] = torch.eye(dim)
        module.proj.weight.copy_(torch.eye(dim))
        for bias in (values.bias, module.proj.bias, getattr(module, "v_bias", None)):
            if bias is not None:
                bias[-dim:] = 0
        if getattr(module, "sr", None) is not None:
            size = module.sr_ratio
            module.sr.weight.copy_(torch.eye(dim)[..., None, None].expand(-1, -1, size, size))
            module.sr.weight.div_(size**2)
            module.sr.bias.zero_()
            module.norm = nn.Identity()


def inputs_of_attention(backbone: nn.Module, images: Tensor) -> dict[nn.Module, tuple]:
    """What each attention layer is called with."""
    found, hooks = {}, []

    def note(module: nn.Module, args: tuple, kwargs: dict) -> None:
        found[module] = args, kwargs

    for module in attention_layers(backbone).values():
        hooks.append(module.register_forward_pre_hook(note, with_kwargs=True))
    backbone(images)
    for hook in hooks:
        hook.remove()
    return found
