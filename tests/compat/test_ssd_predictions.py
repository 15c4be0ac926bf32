"""mmdet's SSD predicts."""

import torch
from mmdet.models import SSDHead
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope


def test_the_likely_box_is_found() -> None:
    anchors = dict(
        type="SSDAnchorGenerator",
        scale_major=False,
        min_sizes=[16, 32],
        max_sizes=[32, 64],
        strides=[16, 32],
        ratios=[[2], [2]],
    )
    test_cfg = ConfigDict(
        nms_pre=9, nms=dict(type="nms", iou_threshold=0.5), score_thr=0.5, max_per_img=9
    )
    with DefaultScope.overwrite_default_scope("mmdet"):
        head = SSDHead(3, in_channels=(4, 4), anchor_generator=anchors, test_cfg=test_cfg)
    features = (torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 2, 2))
    scores, boxes = head(features)
    scores = [torch.zeros_like(level) for level in scores]
    scores[1][0, 2, 1, 0] = 20  # the third class of the first anchor, lower left
    meta = dict(img_shape=(64, 64), scale_factor=(1.0, 1.0))
    (result,) = head.predict_by_feat(scores, boxes, batch_img_metas=[meta])
    x, y = ((result.bboxes[0, :2] + result.bboxes[0, 2:]) / 2).tolist()
    assert result.labels.tolist() == [2] and x < 32 < y
