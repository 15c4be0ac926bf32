import pytest
from mmengine.config import Config

from vitdet.engine.config_model import set_in_channels, set_num_classes
from vitdet.errors import UserError


def config(**model: object) -> Config:
    return Config(dict(model=dict(type="mmdet.MaskRCNN", **model), default_scope="mmdet"))


def test_every_head_that_counts_classes_is_found() -> None:
    heads = [dict(type="Shared2FCBBoxHead"), dict(type="Shared2FCBBoxHead")]
    cfg = config(
        rpn_head=dict(type="RPNHead"),
        roi_head=dict(
            type="CascadeRoIHead",
            bbox_head=heads,
            mask_head=dict(type="FCNMaskHead"),
            bbox_roi_extractor=dict(type="SingleRoIExtractor"),
        ),
        bbox_head=dict(type="RetinaHead", loss_cls=dict(type="SeesawLoss")),
    )
    set_num_classes(cfg, 5, override=False)
    roi_head = cfg.model.roi_head
    assert [head.num_classes for head in roi_head.bbox_head] == [5, 5]
    assert roi_head.mask_head.num_classes == cfg.model.bbox_head.num_classes == 5
    assert cfg.model.bbox_head.loss_cls.num_classes == 5
    assert "num_classes" not in cfg.model.rpn_head
    assert "num_classes" not in roi_head.bbox_roi_extractor


def test_stated_number_is_kept_overridden_or_refused() -> None:
    cfg = config(bbox_head=dict(type="RetinaHead", num_classes=80))
    set_num_classes(cfg, 80, override=False)
    with pytest.raises(UserError, match=r"model\.bbox_head\.num_classes is 80, .* has 5 classes"):
        set_num_classes(cfg, 5, override=False)
    set_num_classes(cfg, 5, override=True)
    assert cfg.model.bbox_head.num_classes == 5


@pytest.mark.parametrize(
    ("backbone", "channels"),
    [
        (dict(type="vitdet.SwinTransformer", arch="base"), [128, 256, 512, 1024]),
        (dict(type="vitdet.SwinTransformer", out_indices=(1, 3)), [192, 768]),
        (dict(type="ResNet", depth=18), [64, 128, 256, 512]),
    ],
)
def test_neck_takes_the_channels_of_the_backbone(backbone: dict, channels: list[int]) -> None:
    cfg = config(backbone=backbone, neck=dict(type="FPN", out_channels=8, num_outs=2))
    set_in_channels(cfg)
    assert list(cfg.model.neck.in_channels) == channels


def test_stated_channels_and_chained_necks() -> None:
    backbone = dict(type="ResNet", depth=18)
    cfg = config(backbone=backbone, neck=dict(type="FPN", in_channels=[1, 2]))
    set_in_channels(cfg)
    assert cfg.model.neck.in_channels == [1, 2]
    cfg = config(backbone=backbone, neck=[dict(type="FPN"), dict(type="DyHead")])
    set_in_channels(cfg)
    assert cfg.model.neck[0].in_channels == [64, 128, 256, 512]
    assert "in_channels" not in cfg.model.neck[1]


def test_segmentation_heads_take_the_channels_of_their_maps() -> None:
    cfg = config(
        backbone=dict(type="ResNet", depth=18),
        decode_head=dict(type="mmseg.UPerHead", in_index=[0, 1, 2, 3]),
        auxiliary_head=[dict(type="mmseg.FCNHead", in_index=2), dict(type="mmseg.FCNHead")],
    )
    cfg.model.auxiliary_head[1].update(in_index=-1, in_channels=3)
    set_in_channels(cfg)
    assert cfg.model.decode_head.in_channels == [64, 128, 256, 512]
    assert [head.in_channels for head in cfg.model.auxiliary_head] == [256, 3]
