"""ViTDet's config, made small: complete, saved, built, trained for a step, asked for boxes."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, DefaultScope

from vitdet.backbones import VisionTransformer
from vitdet.engine import load_config

SMALL = {
    "model.backbone": dict(
        embed_dims=16, depth=4, num_heads=2, window_size=3, rel_pos_img_size=64, init_cfg=None
    ),
    "model.data_preprocessor.pad_size_divisor": 64,
    "model.neck.out_channels": 16,
    "model.rpn_head": dict(in_channels=16, feat_channels=16),
    "model.roi_head.bbox_roi_extractor.out_channels": 16,
    "model.roi_head.bbox_head": dict(in_channels=16, conv_out_channels=16, fc_out_channels=16),
    "model.roi_head.mask_roi_extractor.out_channels": 16,
    "model.roi_head.mask_head": dict(in_channels=16, conv_out_channels=16),
    "train_dataloader.dataset.pipeline.3.scale": (64, 64),
    "train_dataloader.dataset.pipeline.3.ratio_range": (0.8, 1.2),
    "train_dataloader.dataset.pipeline.4.crop_size": (64, 64),
    "val_dataloader.dataset.pipeline.1.scale": (64, 64),
    "train_dataloader.num_workers": 0,
}


@pytest.fixture(scope="module")
def config(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """As it is after it was saved and read again, as a run's own copy is."""
    saved = tmp_path_factory.mktemp("work_dir") / "saved.py"
    load_config("vit_maskrcnn_coco", data=data, options=SMALL).dump(saved)
    return load_config(saved)


def test_recipe_is_the_papers() -> None:
    """Without data: what the config file itself says."""
    from vitdet.engine.config_file import read_config

    config = read_config("vit_maskrcnn_coco")
    with torch.device("meta"), DefaultScope.overwrite_default_scope("mmdet"):
        backbone = MODELS.build({**config.model.backbone, "init_cfg": None})
    assert isinstance(backbone, VisionTransformer)
    assert backbone.out_indices == (11,) and backbone.strides == (16,)
    windows = [block.attn.window_size for block in backbone.blocks]
    assert windows == [14, 14, 0] * 4
    assert backbone.blocks[2].attn.rel_pos_h.shape == (127, 64)
    assert backbone.blocks[0].attn.rel_pos_h.shape == (27, 64)


def test_a_step_trains_every_parameter_and_an_image_is_predicted(config: Config) -> None:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config.model)
        model.init_weights()
        wrapper = build_optim_wrapper(model, config.optim_wrapper)
        images = DATASETS.build(config.train_dataloader.dataset)
        batch = [images[index] for index in range(2)]
    batch = {key: [sample[key] for sample in batch] for key in batch[0]}
    losses, _ = model.parse_losses(model(**model.data_preprocessor(batch, True), mode="loss"))
    losses.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert not without and losses.isfinite()
    assert len(wrapper.optimizer.param_groups) == 2 * 6
    rates = {round(group["lr"] / 1e-4, 4) for group in wrapper.optimizer.param_groups}
    assert rates == {round(0.7**height, 4) for height in range(6)}

    image = torch.randint(0, 255, (3, 37, 59), dtype=torch.uint8)
    shape = (37, 59)
    sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0)))
    batch = model.eval().data_preprocessor(dict(inputs=[image], data_samples=[sample]))
    assert batch["inputs"].shape == (1, 3, 64, 64)
    with torch.no_grad():
        predictions = model(**batch, mode="predict")[0].pred_instances
    assert predictions.masks.shape[1:] == (37, 59)
