"""Learning rates by depth, in few groups."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from vitdet.backbones import SwinTransformer, VisionTransformer
from vitdet.engine.layer_decay import LayerDecayConstructor
from vitdet.errors import UserError

VIT = dict(embed_dims=8, depth=3, num_heads=1, patch_size=8, img_size=32)
SWIN = dict(embed_dims=8, depths=(1, 2), num_heads=(1, 2), window_size=3, out_indices=(0, 1))


class Detector(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(8, 2)


def settings(model: nn.Module, **paramwise: object) -> dict[str, tuple[float, float]]:
    """Name -> learning rate per base rate, weight decay."""
    config = dict(
        constructor=LayerDecayConstructor,
        optimizer=dict(type="AdamW", lr=0.1, weight_decay=0.05),
        paramwise_cfg=paramwise,
    )
    wrapper = build_optim_wrapper(model, config)
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {
        names[parameter]: (round(group["lr"] / 0.1, 6), group["weight_decay"])
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
    assert set(found) == set(names.values())
    return found


def test_rates_of_a_plain_transformer() -> None:
    found = settings(Detector(VisionTransformer(**VIT)), layer_decay_rate=0.5)
    assert found["head.weight"] == (1, 0.05)
    assert found["head.bias"] == (1, 0)
    assert found["backbone.rescalings.0.enlarge.0.weight"] == (1, 0.05)
    assert found["backbone.blocks.2.mlp.fc1.weight"] == (0.5, 0.05)
    assert found["backbone.blocks.0.norm1.weight"] == (0.125, 0)
    assert found["backbone.patch_embed.proj.weight"] == (0.0625, 0.05)
    for name in ("pos_embed", "token_pos_embed", "cls_token"):
        assert found[f"backbone.{name}"] == (0.0625, 0)


def test_rates_of_a_hierarchical_transformer() -> None:
    model = Detector(SwinTransformer(**SWIN, use_abs_pos_embed=True))
    found = settings(model, layer_decay_rate=0.5)
    assert found["backbone.norms.0.weight"] == (1, 0)
    assert found["backbone.stages.1.blocks.1.mlp.fc2.weight"] == (0.5, 0.05)
    assert found["backbone.stages.1.blocks.0.mlp.fc2.weight"] == (0.25, 0.05)
    assert found["backbone.stages.0.downsample.reduction.weight"] == (0.125, 0.05)
    assert found["backbone.stages.0.blocks.0.attn.relative_position_bias_table"] == (0.125, 0)
    assert found["backbone.absolute_pos_embed"] == (0.0625, 0)


def test_few_groups_that_step() -> None:
    model = VisionTransformer("tiny")
    config = dict(
        constructor="LayerDecayConstructor",
        optimizer=dict(type="AdamW", lr=0.1, weight_decay=0.05),
        paramwise_cfg=dict(layer_decay_rate=0.7),
    )
    with DefaultScope.overwrite_default_scope("vitdet"):
        wrapper = build_optim_wrapper(model, config)
    assert len(wrapper.optimizer.param_groups) == 2 * 14
    before = model.blocks[0].mlp.fc1.weight.clone()
    wrapper.update_params(model(torch.randn(1, 3, 32, 32))[-1].square().mean())
    assert not torch.equal(model.blocks[0].mlp.fc1.weight, before)
    assert wrapper.get_lr()["base_lr"] == [0.1]


@pytest.mark.parametrize("rate", [None, 0, 1.5])
def test_rates_that_cannot_be_are_named(rate: float | None) -> None:
    with pytest.raises(UserError, match=f"layer_decay_rate is {rate}"):
        settings(VisionTransformer(**VIT), layer_decay_rate=rate)


def test_backbones_without_known_blocks_are_refused() -> None:
    with pytest.raises(UserError, match="needs a backbone of vitdet's"):
        settings(Detector(nn.Linear(3, 8)), layer_decay_rate=0.5)
