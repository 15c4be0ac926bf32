"""The published recipes of PVT: complete, and their models train, here with tiny backbones."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch.optim import AdamW

from vitdet.engine import load_config

CONFIGS = Path(__file__).parents[2] / "configs"
BACKBONE = dict(embed_dims=(8, 16, 24, 32), depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4))
TINY = {f"model.backbone.{key}": value for key, value in BACKBONE.items()}
TINY |= {"model.backbone.init_cfg": None, "model.neck.out_channels": 16}
RETINANET = {"model.bbox_head.in_channels": 16, "model.bbox_head.feat_channels": 16}
MASK_RCNN = {
    "model.rpn_head.in_channels": 16,
    "model.rpn_head.feat_channels": 16,
    "model.rpn_head.anchor_generator.scales": [4],
    "model.roi_head.bbox_roi_extractor.out_channels": 16,
    "model.roi_head.mask_roi_extractor.out_channels": 16,
    "model.roi_head.bbox_head.in_channels": 16,
    "model.roi_head.bbox_head.fc_out_channels": 32,
    "model.roi_head.mask_head.in_channels": 16,
    "model.roi_head.mask_head.conv_out_channels": 16,
    "model.train_cfg.rpn_proposal.max_per_img": 20,
}


def sample(size: int) -> DetDataSample:
    """One object of the second class in an image of `size` pixels."""
    mask = torch.zeros(1, size, size, dtype=torch.uint8)
    mask[:, 8:40, 16:48] = 1
    instances = InstanceData(
        bboxes=torch.tensor([[16.0, 8.0, 48.0, 40.0]]),
        labels=torch.tensor([1]),
        masks=BitmapMasks(mask.numpy(), size, size),
    )
    info = dict(img_shape=(size, size), batch_input_shape=(size, size), pad_shape=(size, size))
    return DetDataSample(gt_instances=instances, metainfo=info)


def test_recipes_are_the_published_ones(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitdet.engine.config.images_made_for", lambda config: None)
    rates = {"retinanet": 1e-4, "maskrcnn": 2e-4}
    for family in ("pvt", "pvtv2"):
        for detector, rate in rates.items():
            config = load_config(CONFIGS / f"{family}_{detector}_coco.py", data=data)
            optimizer = config.optim_wrapper.optimizer
            assert optimizer.type in (AdamW, "torch.optim.AdamW")
            assert (optimizer.lr, optimizer.weight_decay) == (rate, 1e-4)
            assert config.optim_wrapper.paramwise_cfg is None
            assert config.param_scheduler[0].end == 500
            has_masks = detector == "maskrcnn"
            assert config.train_dataloader.dataset.pipeline[1].with_mask == has_masks
            for evaluator in (config.val_evaluator, config.test_evaluator):
                assert evaluator.metric == (["bbox", "segm"] if has_masks else "bbox")


@pytest.mark.parametrize("family", ["pvt", "pvtv2"])
@pytest.mark.parametrize(("detector", "heads"), [("retinanet", RETINANET), ("maskrcnn", MASK_RCNN)])
def test_a_training_step_and_a_prediction(
    family: str, detector: str, heads: dict, data: Path, classes: tuple[str, ...]
) -> None:
    path = CONFIGS / f"{family}_{detector}_coco.py"
    config: Config = load_config(path, data=data, options=TINY | heads)
    channels = [16, 24, 32] if detector == "retinanet" else [8, 16, 24, 32]
    assert list(config.model.neck.in_channels) == channels
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config.model)
    torch.manual_seed(0)
    model.init_weights()
    batch = {"inputs": [torch.randint(256, (3, 64, 64)).float()], "data_samples": [sample(64)]}
    inputs = model.data_preprocessor(batch, training=True)
    total, _ = model.parse_losses(model(**inputs, mode="loss"))
    total.backward()
    unused = {name for name, p in model.named_parameters() if p.grad is None}
    assert not unused
    assert all(p.grad.isfinite().all() for p in model.parameters())

    model.eval()
    batch = {"inputs": [torch.randint(256, (3, 50, 90)).float()], "data_samples": [sample(64)]}
    batch["data_samples"][0].set_metainfo(
        dict(img_shape=(50, 90), ori_shape=(50, 90), scale_factor=(1.0, 1.0))
    )
    with torch.no_grad():
        result = model.test_step(batch)[0]
    assert result.pred_instances.bboxes.isfinite().all()
