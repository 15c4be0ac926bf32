"""Receptive fields of what they are known of."""

import pytest
import torch
from torch import nn

from vitdet.backbones import Sequencer2D, SwinTransformer, VisionTransformer
from vitdet.insight.receptive_field import ReceptiveField, receptive_fields
from vitdet.insight.stage_maps import stage_maps


class OneConvolution(nn.Module):
    """A 3 x 3 box filter, stride 1."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        nn.init.constant_(self.conv.weight, 0.5)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.conv(images),)


def test_field_of_a_convolution_is_its_kernel() -> None:
    (field,) = receptive_fields(OneConvolution(), [torch.zeros(3, 9, 9)] * 9)
    expected = torch.zeros(9, 9)
    expected[3:6, 3:6] = 1
    assert torch.equal(field.field, expected)
    assert (field.width_of(1 / 9), field.width_of(1.0)) == (1, 3)


def test_width_is_that_of_the_smallest_square() -> None:
    field = ReceptiveField("", 1, torch.ones(8, 8) / 64, (4.0, 4.0))
    assert [field.width_of(share) for share in (0.05, 0.25, 1.0)] == [2, 4, 8]


def test_windows_crosses_and_whole_images() -> None:
    """A window of Swin, the cross of a Sequencer block, all of the image for ViT."""
    torch.manual_seed(0)
    image = [torch.randn(3, 64, 64)]
    plain = VisionTransformer("tiny", embed_dims=16, depth=1, num_heads=2, patch_size=8)
    swin = SwinTransformer(
        "tiny", embed_dims=16, depths=(1,), num_heads=(2,), window_size=4, out_indices=(0,)
    )
    sequencer = Sequencer2D(
        embed_dims=(8,),
        depths=(1,),
        hidden_sizes=(4,),
        patch_sizes=(4,),
        out_strides=None,
        out_indices=(),
    )
    fields = [receptive_fields(backbone.eval(), image)[-1] for backbone in (plain, swin, sequencer)]
    seen = [field.field > 0 for field in fields]
    assert seen[0].all()
    window = torch.zeros(64, 64, dtype=torch.bool)
    window[32:48, 32:48] = True  # four patches of four pixels, from that of the middle on
    assert torch.equal(seen[1], window)
    cross = torch.zeros(64, 64, dtype=torch.bool)
    cross[32:36] = cross[:, 32:36] = True
    assert torch.equal(seen[2], cross)
    assert all(parameter.requires_grad for parameter in plain.parameters())


@pytest.mark.parametrize("depth", [1, 8])
def test_four_blocks_of_a_plain_transformer(depth: int) -> None:
    backbone = VisionTransformer("tiny", embed_dims=16, depth=depth, num_heads=2, patch_size=8)
    maps = stage_maps(backbone.eval(), torch.randn(1, 3, 32, 48))
    assert [one.name for one in maps] == [
        f"blocks.{i}" for i in ([0] if depth == 1 else range(1, 8, 2))
    ]
    assert all(one.features.shape == (1, 16, 4, 6) and one.stride == 8 for one in maps)
