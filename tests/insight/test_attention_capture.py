"""Attention that is planted is found where it was planted, and nothing is done without a capture."""

from collections.abc import Iterator

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
from vitdet.insight.attention_capture import attention_layers, capture_attention

TINY = 1e-12  # more than the weights of exp(-100) across the seams of a shifted map
SMALL = dict(embed_dims=16, depths=(2, 2), num_heads=(2, 2))


def backbones() -> Iterator[tuple[str, nn.Module]]:
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
    yield (
        "pvt",
        PyramidVisionTransformer(**pvt, sr_ratios=(2, 1), out_indices=(0, 1), pretrain_img_size=32),
    )
    yield "pvtv2", PyramidVisionTransformerV2(**pvt, sr_ratios=(2, 1), out_indices=(0, 1))
    yield "tnt", TNT("small", embed_dims=16, inner_dims=8, depth=2, num_heads=2, inner_num_heads=2)
    yield (
        "focal",
        FocalTransformer(
            "tiny",
            embed_dims=16,
            depths=(2, 2),
            num_heads=(2, 2),
            window_size=4,
            expand_sizes=2,
            focal_windows=3,
            focal_levels=2,
            out_indices=(0, 1),
        ),
    )


BACKBONES = dict(backbones())


@pytest.fixture
def images() -> Tensor:
    return torch.randn(1, 3, 44, 60, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", BACKBONES)
def test_output_is_the_same_and_all_layers_are_seen(name: str, images: Tensor) -> None:
    backbone = BACKBONES[name].eval()
    with torch.no_grad():
        plain = backbone(images)
        with capture_attention(backbone) as layers:
            asked = backbone(images)
        after = backbone(images)
    for one, two, three in zip(plain, asked, after, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert list(layers) == list(attention_layers(backbone))
    assert not any(module._forward_pre_hooks for module in backbone.modules())
    for layer in layers.values():
        torch.testing.assert_close(layer.weights.sum(-1), torch.ones(layer.weights.shape[:-1]))
        assert layer.weights.shape[1:2] == layer.layout.queries.shape[:1]
        assert layer.weights.shape[3] == layer.layout.queries.shape[1]
        assert layer.weights.shape[4] == layer.layout.keys.shape[1]
        grid = layer.grid
        seen = layer.of_place(0, grid.width - 1)
        assert seen.shape == (layer.num_heads, grid.height, grid.width)
        assert (seen.sum((1, 2)) <= 1 + 1e-5).all()


@pytest.mark.parametrize("name", BACKBONES)
def test_attention_reaches_as_far_as_the_output(name: str, images: Tensor) -> None:
    """A token's output changes with exactly those tokens of the map that it is said to attend to.

    The gradient of a single layer's output is the judge, which knows of no windows.
    """
    backbone = BACKBONES[name].eval()
    with torch.no_grad(), capture_attention(backbone) as layers:
        inputs = _inputs_of_attention(backbone, images)
    for layer_name, module in attention_layers(backbone).items():
        layer = layers[layer_name]
        args, kwargs = inputs[module]
        x = args[0].detach().clone().requires_grad_()
        out = module(x, *args[1:], **kwargs)
        grid, first = layer.grid, layer.grid.first
        if out.shape[0] != 1:  # TNT's inner tokens, patch by patch
            continue
        row, column = grid.height // 2, grid.width - 1
        tokens = out.flatten(1, -2)[0]
        tokens[first + row * grid.width + column].sum().backward()
        is_reached = x.grad.flatten(1, -2)[0].abs().sum(-1)[first:][: grid.num_places] > TINY
        said = layer.of_place(row, column).sum(0) > TINY
        if name == "focal":  # pooled tokens are made before the layer
            assert said.flatten()[is_reached].all()
        else:
            own = torch.zeros(grid.height, grid.width, dtype=torch.bool)
            own[row, column] = True
            assert torch.equal(is_reached.unflatten(0, own.shape) | own, said | own)


def _inputs_of_attention(backbone: nn.Module, images: Tensor) -> dict[nn.Module, tuple]:
    found, hooks = {}, []

    def note(module: nn.Module, args: tuple, kwargs: dict) -> None:
        found[module] = args, kwargs

    for module in attention_layers(backbone).values():
        hooks.append(module.register_forward_pre_hook(note, with_kwargs=True))
    backbone(images)
    for hook in hooks:
        hook.remove()
    return found
