"""Rollout against the product of whole matrices, and over stages that merge tokens."""

import numpy as np
import pytest
import torch

from vitdet.backbones import SwinTransformer, VisionTransformer
from vitdet.errors import UserError
from vitdet.insight.attention_capture import capture_attention
from vitdet.insight.rollout import rollout


@pytest.fixture(scope="module")
def plain_layers() -> list:
    torch.manual_seed(0)
    backbone = VisionTransformer(
        "tiny", embed_dims=16, depth=3, num_heads=2, patch_size=8, img_size=32
    ).eval()
    with torch.no_grad(), capture_attention(backbone) as layers:
        backbone(torch.randn(1, 3, 24, 40))
    return list(layers.values())


def test_agrees_with_the_product_of_matrices(plain_layers: list) -> None:
    """Abnar and Zuidema's recursion, in numpy."""
    whole = np.eye(plain_layers[0].weights.shape[-1])
    for layer in plain_layers:
        mean = layer.weights[0, 0].double().mean(0).numpy()
        whole = (0.5 * mean + 0.5 * np.eye(len(mean))) @ whole
    np.testing.assert_allclose(rollout(plain_layers), whole[0, 1:].reshape(3, 5), atol=1e-6)
    np.testing.assert_allclose(rollout(plain_layers, 8), whole[8, 1:].reshape(3, 5), atol=1e-6)


def test_shares_stay_whole_over_stages() -> None:
    """All of a token comes from somewhere, and nothing from beyond what windows reach."""
    torch.manual_seed(0)
    backbone = SwinTransformer(
        "tiny",
        embed_dims=16,
        depths=(2, 1),
        num_heads=(2, 2),
        window_size=4,
        out_indices=(0, 1),
    ).eval()
    with torch.no_grad(), capture_attention(backbone) as kept:
        backbone(torch.randn(1, 3, 128, 128))
    layers = list(kept.values())
    for layer in layers:  # 32 x 32 and 16 x 16 tokens: windows are not padded where not shifted
        assert layer.grid.height % 4 == 0
    unshifted = [layers[0], layers[2]]
    shares = rollout(unshifted, 0)
    assert shares.shape == (32, 32)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert float(shares[8:].sum() + shares[:, 8:].sum()) == 0  # 4 x 4 tokens of twice the side
    assert float(shares[:2, :2].sum()) > 0.25  # two residual connections, each half


def test_nothing_to_follow() -> None:
    with pytest.raises(UserError, match="no attention layers"):
        rollout([])
