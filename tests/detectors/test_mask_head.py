"""What DETR's masks start from; what they become is held by the reference's panoptic fixture."""

import torch
from torch import Tensor

from vitdet.detectors.mask_head import MaskHead

DIM, NUM_HEADS, SIDE = 128, 8, 8


def first_masks(gain: float) -> tuple[MaskHead, Tensor]:
    """A fresh head and its masks of two queries of one image, whose features are large as they
    are after a training of boxes, (2, H, W)."""
    torch.manual_seed(0)
    head = MaskHead(DIM, NUM_HEADS, (16, 16, 16, 16), attention_gain=gain)
    with torch.no_grad():
        masks = head(
            3 * torch.randn(2, DIM),
            torch.zeros(2, dtype=torch.long),
            projected=5 * torch.randn(1, DIM, SIDE, SIDE),
            memory=torch.randn(1, DIM, SIDE, SIDE),
            is_padding=torch.zeros(1, SIDE, SIDE, dtype=torch.bool),
            maps=[torch.randn(1, 16, SIDE * scale, SIDE * scale) for scale in (4, 2, 1)],
        )
    return head, masks


def test_a_gain_lets_masks_of_queries_differ_from_the_start() -> None:
    def difference(masks: Tensor) -> float:
        return float((masks[0] - masks[1]).std() / masks.std())

    assert difference(first_masks(1)[1]) < 1e-3
    assert difference(first_masks(NUM_HEADS * SIDE**2)[1]) > 0.05


def test_a_gain_is_of_first_weights_only() -> None:
    published, ours = first_masks(1)[0].state_dict(), first_masks(100)[0].state_dict()
    changed = {name for name in ours if not torch.equal(ours[name], published[name])}
    assert changed == {"convs.0.weight"}
    weight = published["convs.0.weight"]
    weight[:, DIM:] *= 100
    torch.testing.assert_close(ours["convs.0.weight"], weight)
