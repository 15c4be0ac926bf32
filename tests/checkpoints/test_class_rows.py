"""Class rows of heads go where the classes of their names are."""

import copy

import pytest
import torch
from mmdet.models.dense_heads import ATSSHead, FCOSHead, RetinaHead
from mmdet.models.roi_heads import FCNMaskHead, Shared2FCBBoxHead
from torch import nn

from tests.detectors.test_detr import tiny
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.class_rows import coco_names
from vitdet.errors import UserError


def test_names_of_cocos_ids() -> None:
    names = coco_names(91)
    assert (names[0], names[1], names[12], names[13], names[90]) == (
        *(None, "person", None, "stop sign", "toothbrush"),
    )
    assert sum(name is not None for name in names) == 80
    panoptic = coco_names(250)
    assert (panoptic[1], panoptic[92], panoptic[200]) == ("person", "banner", "rug-merged")
    assert sum(name is not None for name in panoptic) == 133
    assert coco_names(80) is None


def test_published_rows_become_the_80_classes() -> None:
    """All names are found, so this needs no `new_classes`."""
    source, classes = tiny(num_classes=91), [name for name in coco_names(91) if name]
    model = tiny(num_classes=80)
    report = load_checkpoint(model, source.state_dict(), classes=classes)
    assert report.carried_classes == classes and not report.fresh_classes
    rows = [index for index, name in enumerate(coco_names(91)) if name] + [91]
    for name in ("weight", "bias"):
        theirs, ours = (getattr(m.class_embed, name) for m in (source, model))
        assert torch.equal(ours, theirs[rows])
    whole = tiny(num_classes=91)
    assert not load_checkpoint(whole, source.state_dict(), classes=classes).carried_classes
    assert torch.equal(whole.class_embed.weight, source.class_embed.weight)


def test_known_classes_are_carried_and_others_stay_fresh() -> None:
    source, model = tiny(num_classes=3), tiny(num_classes=2)
    with torch.no_grad():
        source.class_embed.weight.add_(1)
    fresh = model.class_embed.weight[1].clone()
    checkpoint = {
        "state_dict": source.state_dict(),
        "meta": {"dataset_meta": {"classes": ("cat", "dog", "cow")}},
    }
    report = load_checkpoint(model, checkpoint, classes=["cow", "emu"], new_classes=True)
    assert report.carried_classes == ["cow"] and report.fresh_classes == ["emu"]
    assert "class rows carried: cow, class rows fresh: emu" in str(report)
    weight = model.class_embed.weight
    assert torch.equal(weight[0], source.class_embed.weight[2])
    assert torch.equal(weight[1], fresh)
    assert torch.equal(weight[2], source.class_embed.weight[3])


def test_new_classes_need_to_be_allowed() -> None:
    model = tiny(num_classes=2)
    before = model.class_embed.weight.clone()
    with pytest.raises(UserError, match="new_classes=True"):
        load_checkpoint(model, tiny(num_classes=91).state_dict(), classes=["cat", "emu"])
    assert torch.equal(model.class_embed.weight, before)


def test_a_detector_takes_no_file_of_its_backbone_alone() -> None:
    model = tiny()
    with pytest.raises(UserError, match=r"is a ResNet checkpoint .*the model is a DETR"):
        load_checkpoint(model, model.backbone.state_dict())


def test_the_backbone_takes_its_part_of_a_detectors_file() -> None:
    source, model = tiny(), tiny()
    with torch.no_grad():
        source.backbone.conv1.weight.add_(1)
    load_checkpoint(model.backbone, source.state_dict())
    assert torch.equal(model.backbone.conv1.weight, source.backbone.conv1.weight)


OLD, NEW = ("ant", "bee", "cat"), ("cat", "emu", "ant", "fox")


def region_heads(num_classes: int) -> nn.Module:
    box_head = Shared2FCBBoxHead(
        in_channels=4, fc_out_channels=8, roi_feat_size=2, num_classes=num_classes
    )
    mask_head = FCNMaskHead(
        num_convs=1, in_channels=4, conv_out_channels=4, num_classes=num_classes
    )
    return nn.ModuleDict({"bbox_head": box_head, "mask_head": mask_head})


def test_rows_of_boxes_and_masks_follow_names() -> None:
    """What the heads say of a class stays, wherever the class has moved to."""
    source, model = region_heads(len(OLD)), region_heads(len(NEW))
    fresh = copy.deepcopy(model.state_dict())
    state = {"state_dict": source.state_dict(), "meta": {"CLASSES": OLD}}
    report = load_checkpoint(model, state, classes=NEW, new_classes=True)
    assert (report.carried_classes, report.fresh_classes) == (["cat", "ant"], ["emu", "fox"])
    region = torch.randn(5, 4, 2, 2)
    scores, boxes = source["bbox_head"](region)
    new_scores, new_boxes = model["bbox_head"](region)
    assert torch.equal(new_scores[:, [0, 2, 4]], scores[:, [2, 0, 3]])  # the last: no object
    boxes, new_boxes = boxes.unflatten(1, (-1, 4)), new_boxes.unflatten(1, (-1, 4))
    assert torch.equal(new_boxes[:, [0, 2]], boxes[:, [2, 0]])
    masks, new_masks = source["mask_head"](region), model["mask_head"](region)
    torch.testing.assert_close(new_masks[:, [0, 2]], masks[:, [2, 0]])
    for key in ("bbox_head.fc_cls", "mask_head.conv_logits"):
        rows = model.state_dict()[f"{key}.weight"]
        assert torch.equal(rows[[1, 3]], fresh[f"{key}.weight"][[1, 3]])


@pytest.mark.parametrize("head", [RetinaHead, FCOSHead, ATSSHead])
def test_rows_of_anchors_follow_names(head: type[nn.Module]) -> None:
    def build(num_classes: int) -> nn.Module:
        return nn.ModuleDict({"bbox_head": head(num_classes, 4, feat_channels=32)})

    source, model = build(len(OLD)), build(len(NEW))
    state = {"state_dict": source.state_dict(), "meta": {"CLASSES": OLD}}
    report = load_checkpoint(model, state, classes=NEW, new_classes=True)
    assert report.carried_classes == ["cat", "ant"]
    maps = [torch.randn(1, 4, size, size) for size in (8, 6, 4, 3, 2)]
    scores, new_scores = (one.eval()["bbox_head"](maps)[0][0] for one in (source, model))
    anchors = scores.shape[1] // len(OLD)
    scores = scores.unflatten(1, (anchors, len(OLD)))
    new_scores = new_scores.unflatten(1, (anchors, len(NEW)))
    torch.testing.assert_close(new_scores[:, :, [0, 2]], scores[:, :, [2, 0]])


def test_heads_that_know_no_classes_are_taken_whole() -> None:
    def build(num_classes: int) -> nn.Module:
        return nn.ModuleDict(
            {
                "bbox_head": Shared2FCBBoxHead(
                    in_channels=4,
                    fc_out_channels=8,
                    roi_feat_size=2,
                    num_classes=num_classes,
                    reg_class_agnostic=True,
                )
            }
        )

    source, model = build(len(OLD)), build(len(NEW))
    state = {"state_dict": source.state_dict(), "meta": {"CLASSES": OLD}}
    load_checkpoint(model, state, classes=NEW, new_classes=True)
    ours, theirs = model["bbox_head"].fc_reg.weight, source["bbox_head"].fc_reg.weight
    assert torch.equal(ours, theirs)
