"""Components against numpy's singular values."""

import numpy as np
import torch

from vitdet.insight.feature_components import component_colours


def test_agrees_with_singular_vectors() -> None:
    torch.manual_seed(0)
    scales = torch.tensor([9.0, 5.0, 3.0, 0.5, 0.2])[:, None, None]
    maps = [torch.randn(5, 12, 10) * scales + 1, torch.randn(5, 7, 9) * scales + 1]
    colours = component_colours(maps)
    assert [one.shape for one in colours] == [(12, 10, 3), (7, 9, 3)]
    tokens = np.concatenate([one.flatten(1).T for one in maps]).astype(float)
    tokens -= tokens.mean(0)
    _, _, axes = np.linalg.svd(tokens, full_matrices=False)
    values = np.concatenate([one.flatten(0, 1) for one in colours])
    inside = (values > 0) & (values < 1)  # the rest is cut off
    for component in range(3):
        kept = inside[:, component]
        projected = (tokens @ axes[component])[kept]
        correlation = np.corrcoef(projected, values[kept, component])[0, 1]
        assert abs(correlation) > 1 - 1e-6
        assert 0.97 <= kept.mean() <= 0.99


def test_fewer_channels_than_colours_and_flat_maps() -> None:
    (colours,) = component_colours([torch.ones(2, 4, 4)])
    assert colours.shape == (4, 4, 3)
    assert torch.isfinite(colours).all()
