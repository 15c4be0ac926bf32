"""Classifiers against published logits, what they learn from, and what they load."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import nn
from torchvision.transforms.v2 import CutMix, MixUp

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer, VisionTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.classification import Distillation, ImageClassifier
from vitdet.errors import UserError

TINY = dict(embed_dims=8, depths=(1, 2), num_heads=(1, 2), window_size=3, out_indices=())


def tiny(num_classes: int = 3, **options: object) -> ImageClassifier:
    torch.manual_seed(0)
    backbone = SwinTransformer(**TINY, drop_path_rate=0.0, final_norm=True)
    return ImageClassifier(backbone, num_classes, **options)


def tiny_deit(**options: object) -> ImageClassifier:
    torch.manual_seed(0)
    backbone = VisionTransformer(
        embed_dims=8,
        depth=1,
        num_heads=2,
        patch_size=8,
        img_size=16,
        with_distillation_token=True,
        final_norm=True,
        out_indices=(),
    )
    return ImageClassifier(backbone, 3, **options)


def samples(*labels: int) -> list[BaseDataElement]:
    return [BaseDataElement(gt_label=torch.tensor(label)) for label in labels]


@pytest.mark.parametrize("name", ["swin_t_cls_official", "swin_t_timm", "swin_t_hf"])
@torch.no_grad()
def test_published_classifiers_load_whole_and_give_their_logits(name: str) -> None:
    fixture = Fixture(name)
    backbone = SwinTransformer("tiny", final_norm=True, out_indices=())
    model = ImageClassifier(backbone, 1000).eval()
    report = load_checkpoint(model, fixture.state_dict())
    assert not report.missing and not report.unexpected and not report.resized
    assert set(report.loaded) == set(model.state_dict())
    images = fixture.inputs()["224x224"]
    logits = next(output for output in fixture.outputs() if output.endswith("logits"))
    fixture.assert_close(logits, model(images))
    if "features" in fixture.outputs():
        fixture.assert_close("features", model.backbone.forward_tokens(images).mean(1))


@torch.no_grad()
def test_deit_averages_both_heads() -> None:
    fixture = Fixture("deit_ti16_224_distilled_official")
    backbone = VisionTransformer(
        "tiny", with_distillation_token=True, final_norm=True, out_indices=()
    )
    model = ImageClassifier(backbone, 1000).eval()
    report = load_checkpoint(model, fixture.state_dict())
    assert set(report.loaded) == set(model.state_dict()) and not report.unexpected
    (images,) = fixture.inputs().values()
    averaged = next(o for o in fixture.outputs() if "logits" in o and "head" not in o)
    fixture.assert_close(averaged, model(images))


def test_scores_sum_to_one() -> None:
    model = tiny().eval()
    found = model(torch.randn(2, 3, 20, 31), samples(0, 2), mode="predict")
    for sample, logits in zip(found, model(torch.randn(2, 3, 20, 31)), strict=True):
        assert sample.pred_scores.shape == logits.shape == (3,)
        torch.testing.assert_close(sample.pred_scores.sum(), torch.tensor(1.0))
        assert sample.pred_label == sample.pred_scores.argmax()
    assert [int(sample.gt_label) for sample in found] == [0, 2]


def test_loss_is_cross_entropy_with_smoothed_labels() -> None:
    model = tiny(label_smoothing=0.1)
    images = torch.randn(2, 3, 16, 16)
    loss = model(images, samples(1, 2), mode="loss")["loss"]
    expected = F.cross_entropy(model(images), torch.tensor([1, 2]), label_smoothing=0.1)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("build", [tiny, tiny_deit])
def test_every_parameter_learns_from_mixed_images(build) -> None:
    model = build(batch_augments=[dict(type=MixUp, alpha=0.8), CutMix(alpha=1.0)])
    for _ in range(4):  # both kinds will have been drawn
        loss = model(torch.randn(4, 3, 16, 16), samples(0, 1, 2, 0), mode="loss")["loss"]
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", ["soft", "hard"])
@pytest.mark.parametrize("build", [tiny, tiny_deit])
def test_a_teacher_is_heard_and_not_saved(build, kind: str) -> None:
    teacher = copy.deepcopy(tiny()).eval()
    model = build(distillation=Distillation(teacher, kind))
    images = torch.randn(2, 3, 16, 16)
    loss = model(images, samples(0, 1), mode="loss")["loss"]
    loss.backward()
    heads = model._head_logits(images)
    label_loss = F.cross_entropy(heads[0], torch.tensor([0, 1]))
    assert len(heads) == (2 if build is tiny_deit else 1)
    torch.testing.assert_close(loss, model.distillation(label_loss, heads[-1], images))
    assert all(p.grad is not None for p in model.parameters())
    assert all(p.grad is None for p in teacher.parameters())
    assert set(model.state_dict()) == set(build().state_dict())


def test_files_of_a_backbone_alone_are_refused() -> None:
    model = tiny()
    with pytest.raises(UserError, match=r"weights of the backbone only.*init_cfg"):
        load_checkpoint(model, model.backbone.state_dict())


def test_own_files_load_and_start_a_model_of_other_classes() -> None:
    source, model, other = tiny(), tiny(), tiny(num_classes=7)
    for parameter in source.parameters():
        nn.init.normal_(parameter)
    load_checkpoint(model, source.state_dict())
    for key, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])
    with pytest.raises(UserError, match="new_classes=True"):
        load_checkpoint(other, source.state_dict())
    report = load_checkpoint(other, source.state_dict(), new_classes=True)
    assert report.fresh == ["head.weight", "head.bias"]


def test_init_cfg_has_the_last_word_over_the_parts(tmp_path) -> None:
    source = tiny()
    for parameter in source.parameters():
        nn.init.normal_(parameter)
    torch.save({"state_dict": source.state_dict()}, tmp_path / "best.pth")
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "best.pth"))
    model = tiny(init_cfg=init_cfg)
    model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])


def test_a_detectors_backbone_starts_from_a_classifier(tmp_path) -> None:
    source = tiny()
    torch.save({"state_dict": source.state_dict()}, tmp_path / "best.pth")
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "best.pth"))
    backbone = SwinTransformer(**{**TINY, "out_indices": (0, 1)}, init_cfg=init_cfg)
    backbone.init_weights()
    for key, value in backbone.state_dict().items():
        if not key.startswith("norms."):
            assert torch.equal(value, source.backbone.state_dict()[key])


def test_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="mode 'train'"):
        tiny()(torch.zeros(1, 3, 8, 8), mode="train")
