import pytest
import torch

from vitdet.errors import UserError
from vitdet.layers.drop_path import DropPath, linear_drop_path_rates


def test_drops_whole_images_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    branch = DropPath(0.3).train()(torch.ones(4000, 2, 3))
    images = branch.flatten(1)
    assert torch.equal(images.amin(1), images.amax(1))
    kept = images[:, 0] > 0
    torch.testing.assert_close(images[kept], torch.full_like(images[kept], 1 / 0.7))
    assert abs(kept.float().mean() - 0.7) < 0.03
    assert abs(branch.mean() - 1) < 0.04


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.9, False)])
def test_leaves_everything_alone(rate: float, training: bool) -> None:
    x = torch.randn(8, 2)
    assert DropPath(rate).train(training)(x) is x


def test_rates_rise_linearly() -> None:
    assert linear_drop_path_rates(0.2, 5) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    assert linear_drop_path_rates(0.2, 1) == [0]


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(UserError, match=str(rate)):
        DropPath(rate)
