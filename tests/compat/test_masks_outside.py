"""mmdet pastes masks of boxes that lie outside the image: nothing is seen of them."""

import pytest
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope


@pytest.mark.parametrize(
    "outside", [(90, 5, 99, 20), (5, 70, 20, 90), (-30, 5, -9, 20), (5, -30, 20, -9)]
)
def test_a_box_beside_the_image(outside) -> None:
    with DefaultScope.overwrite_default_scope("mmdet"):
        head = FCNMaskHead(num_convs=0, in_channels=4, class_agnostic=True)
    boxes = torch.tensor([outside, (8, 4, 24, 20)], dtype=torch.float32)
    masks = head._predict_by_feat_single(
        torch.full((2, 1, 28, 28), 9.0),
        boxes,
        torch.zeros(2, dtype=torch.long),
        dict(ori_shape=(32, 48), scale_factor=(1.0, 1.0)),
        ConfigDict(mask_thr_binary=0.5),
    )
    assert masks.shape == (2, 32, 48) and not masks[0].any()
    assert masks[1].sum() == 16 * 16
