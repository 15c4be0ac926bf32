import pytest
from mmengine.config import Config

from vitdet.engine.config_file import find_config
from vitdet.engine.config_model import limit_results, set_in_channels, set_num_classes
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


def mask2former(**head: object) -> Config:
    return config(
        backbone=dict(type="vitdet.SwinTransformer", arch="tiny"),
        panoptic_head=dict(type="Mask2FormerHead", **head),
        panoptic_fusion_head=dict(type="MaskFormerFusionHead"),
    )


@pytest.mark.parametrize("num_classes", [1, 5])
def test_things_stuff_and_weights_of_classes(num_classes: int) -> None:
    cfg = mask2former(loss_cls=dict(type="CrossEntropyLoss"))
    set_num_classes(cfg, num_classes, override=False)
    set_in_channels(cfg)
    head, fusion = cfg.model.panoptic_head, cfg.model.panoptic_fusion_head
    for node in (head, fusion):
        assert (node.num_things_classes, node.num_stuff_classes) == (num_classes, 0)
        assert "num_classes" not in node
    assert head.loss_cls.class_weight == [1.0] * num_classes + [0.1]
    assert head.in_channels == [96, 192, 384, 768]


def test_stated_stuff_is_kept_until_other_data_comes() -> None:
    weights = dict(class_weight=[2.0] * 5 + [0.3])
    cfg = mask2former(num_things_classes=3, num_stuff_classes=2, loss_cls=weights)
    head = cfg.model.panoptic_head
    for override in (False, True):  # the same number of classes, so the same kinds
        set_num_classes(cfg, 5, override=override)
        assert (head.num_things_classes, head.num_stuff_classes) == (3, 2)
    with pytest.raises(UserError, match=r"num_things_classes is 3, .* 2 classes"):
        set_num_classes(cfg, 4, override=False)
    set_num_classes(cfg, 2, override=True)
    assert (head.num_things_classes, head.num_stuff_classes) == (2, 0)
    assert head.loss_cls.class_weight == [2.0, 2.0, 0.3]


def test_weights_of_other_classes_are_refused() -> None:
    cfg = mask2former(loss_cls=dict(class_weight=[1.0, 2.0, 0.1]))
    set_num_classes(cfg, 2, override=False)
    with pytest.raises(UserError, match=r"class_weight weighs 2 classes .* give 4 numbers"):
        set_num_classes(cfg, 3, override=True)


@pytest.mark.parametrize(
    ("head", "limit"),
    [(dict(max_per_img=300), "max_per_img"), (dict(max_per_image=100), "max_per_image")],
)
def test_no_more_results_than_queries_and_classes_give(head: dict, limit: str) -> None:
    cfg = config(num_queries=20, bbox_head=dict(type="DINOHead"), test_cfg=head)
    limit_results(cfg, 3)
    assert cfg.model.test_cfg[limit] == 60
    limit_results(cfg, 1000)
    assert cfg.model.test_cfg[limit] == 60


def test_k_net_counts_classes_in_its_parts() -> None:
    config = Config.fromfile(
        find_config("mmseg::knet/knet-s3_r50-d8_deeplabv3_8xb2-adamw-80k_ade20k-512x512")
    )
    set_num_classes(config, 7, override=True)
    head = config.model.decode_head
    assert "num_classes" not in head
    parts = [head.kernel_generate_head, *head.kernel_update_head]
    assert [part.num_classes for part in parts] == [7] * 4
