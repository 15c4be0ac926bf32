"""Merged views: nothing changes where there is nothing to merge, and masks follow the boxes."""

import copy
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from tests.small_recipes import small_model
from vitdet.cli import main
from vitdet.datasets.shapes import generate_shapes
from vitdet.engine import load_config
from vitdet.engine.config import load_model_config
from vitdet.engine.config_tta import use_tta
from vitdet.errors import UserError
from vitdet.tta import AugmentedDetector

RECIPES = [
    "swin_maskrcnn_coco",
    "swin_retinanet_coco",
    "swin_cascade_maskrcnn_coco_3x",
    "swin_htc_coco",
]
HEIGHT, WIDTH = 64, 96
TINY = str(Path(__file__).parent / "engine" / "tiny_maskrcnn.py")


@pytest.fixture(scope="module", params=RECIPES)
def model(request: pytest.FixtureRequest) -> nn.Module:
    config = load_model_config(request.param, num_classes=3)
    test_cfg = config.model.test_cfg
    if "rcnn" in test_cfg:
        test_cfg.rcnn.update(max_per_img=10)
        test_cfg.rpn.update(nms_pre=50, max_per_img=30)
    else:
        test_cfg.update(max_per_img=10, nms_pre=50)
    built = small_model(config).eval()
    for name, parameter in built.named_parameters():  # so that scores and masks differ
        if "head" in name:
            nn.init.normal_(parameter, std=0.05)
    return built


def image(seed: int = 0, width: int = WIDTH) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, HEIGHT, width), generator=generator, dtype=torch.uint8)


def views(picture: Tensor, *kinds: tuple[float, bool]) -> dict[str, list]:
    """One image in several views, (scale, is flipped) each, as TestTimeAug packs them."""
    inputs, samples = [], []
    for scale, is_flipped in kinds:
        size = (round(HEIGHT * scale), round(WIDTH * scale))
        resized = nn.functional.interpolate(picture[None].float(), size)[0].to(torch.uint8)
        meta = dict(
            img_shape=size,
            ori_shape=(HEIGHT, WIDTH),
            scale_factor=(scale, scale),
            flip=is_flipped,
            flip_direction="horizontal" if is_flipped else None,
        )
        inputs.append([resized.flip(-1) if is_flipped else resized])
        samples.append([DetDataSample(metainfo=meta)])
    return {"inputs": inputs, "data_samples": samples}


@torch.no_grad()
def predict(model: nn.Module, data: dict[str, list]) -> dict[str, Tensor]:
    (sample,) = AugmentedDetector(model).test_step(copy.deepcopy(data))
    return dict(sample.pred_instances.items())


@torch.no_grad()
def plain(model: nn.Module, picture: Tensor) -> dict[str, Tensor]:
    data = {key: value[0] for key, value in views(picture, (1.0, False)).items()}
    return dict(model.test_step(data)[0].pred_instances.items())


@pytest.mark.parametrize("count", [1, 2])
def test_the_image_itself_gives_the_plain_prediction(model: nn.Module, count: int) -> None:
    """Two equal views: each box finds itself again, and is suppressed once."""
    expected = plain(model, image())
    assert len(expected["scores"]) == 10
    if count == 2 and "soft" in str(getattr(model, "roi_head", model).test_cfg):
        pytest.skip("soft suppression decays a box that is found twice")
    actual = predict(model, views(image(), *[(1.0, False)] * count))
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(actual[key], value), key


def test_a_mirrored_image_gives_the_mirrored_result(model: nn.Module) -> None:
    kinds = [(1.0, False), (1.0, True)]
    straight = predict(model, views(image(), *kinds))
    mirrored = predict(model, views(image().flip(-1), *kinds))
    torch.testing.assert_close(straight["scores"], mirrored["scores"])
    assert torch.equal(straight["labels"], mirrored["labels"])
    x1, y1, x2, y2 = mirrored["bboxes"].unbind(-1)
    back = torch.stack([WIDTH - x2, y1, WIDTH - x1, y2], dim=-1)
    torch.testing.assert_close(straight["bboxes"], back, rtol=0, atol=1e-3)
    if "masks" in straight:
        agreeing = (straight["masks"] == mirrored["masks"].flip(-1)).float().mean()
        assert straight["masks"].any() and agreeing > 0.999


def test_a_flipped_view_alone_is_brought_back(model: nn.Module) -> None:
    """What is found in the mirrored image, mirrored back."""
    expected = plain(model, image().flip(-1))
    actual = predict(model, views(image(), (1.0, True)))
    torch.testing.assert_close(actual["scores"], expected["scores"])
    torch.testing.assert_close(actual["bboxes"][:, 0], WIDTH - expected["bboxes"][:, 2])


def test_views_of_several_sizes_share_one_frame(model: nn.Module) -> None:
    found = predict(model, views(image(), (1.0, False), (1.5, True), (0.5, False)))
    assert 0 < len(found["scores"]) <= 10
    assert found["bboxes"][:, 0::2].max() <= WIDTH + 1e-3
    assert found["bboxes"][:, 1::2].max() <= HEIGHT + 1e-3
    if "masks" in found:
        assert found["masks"].shape[1:] == (HEIGHT, WIDTH)


def test_finding_nothing(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    config = getattr(model, "roi_head", None) or model.bbox_head
    monkeypatch.setitem(config.test_cfg, "score_thr", 1.1)
    found = predict(model, views(image(), (1.0, False), (1.0, True)))
    assert found["bboxes"].shape == (0, 4) and len(found["labels"]) == 0
    assert "masks" not in found or found["masks"].shape == (0, HEIGHT, WIDTH)


def test_masks_of_an_unknown_kind_are_refused() -> None:
    class Other(nn.Module):
        with_mask = True

        def test_step(self, data: dict) -> None: ...

    with pytest.raises(UserError, match="masks of Other cannot be merged"):
        AugmentedDetector(Other())


def test_a_pipeline_is_turned_into_views(tmp_path: Path) -> None:
    data = generate_shapes(tmp_path / "data", num_train=1, num_val=1, image_size=64)
    config = load_config(TINY, data=data)
    use_tta(config, (1.0, 2.0))
    *_, step = config.test_dataloader.dataset.pipeline
    assert [one.scale for one in step.transforms[0]] == [(64, 64), (128, 128)]
    assert "flip" in step.transforms[-1][0].meta_keys

    stated = load_config(TINY, data=data)
    stated.tta_pipeline = [ConfigDict(type="Mine")]
    use_tta(stated)
    assert stated.test_dataloader.dataset.pipeline == [dict(type="Mine")]


def test_no_place_for_views(tmp_path: Path) -> None:
    dataset = dict(type="CocoDataset", pipeline=[dict(type="LoadImageFromFile")])
    config = Config(dict(default_scope="mmdet", test_dataloader=dict(dataset=dataset), model={}))
    with pytest.raises(UserError, match="needs a Resize and a PackDetInputs"):
        use_tta(config)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    data = generate_shapes(tmp_path / "data", num_train=1, num_val=2, image_size=64)
    config = load_config(TINY, data=data)
    with DefaultScope.overwrite_default_scope("mmdet"):
        torch.save({"state_dict": MODELS.build(config.model).state_dict()}, "x.pth")
    main(["test", TINY, "x.pth", "--data", str(data), "--tta-scales", "1", "0.5",
          "--out", "found.json"])  # fmt: skip
    assert Path("found.segm.json").stat().st_size > 100
