"""mmdet's config of Cascade RPN alone builds, and other numbers of classes are still refused."""

import pytest
from mmdet.models import CascadeRPNHead

from vitdet.zoo.check import check_config
from vitdet.zoo.outcome import YES, Outcome


def test_mmdet_s_config_builds() -> None:
    name = "mmdet::cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco"
    assert list(check_config(name, with_step=False)) == [Outcome(YES)]


def test_other_numbers_are_still_refused() -> None:
    with pytest.raises(AssertionError, match="num_classes == 1"):
        CascadeRPNHead(num_classes=2, num_stages=0, stages=[], train_cfg=[], test_cfg={})
