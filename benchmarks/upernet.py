"""UperNet Swin-T on our Swin against mmseg's and transformers': a training step and inference."""

import copy
import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from backbone_peers import load_state
from harness import Benchmark, Case, Step
from mmengine.config import ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from swin_backbone import in_mmdet_layout
from torch import Tensor, nn

from configs._base_.models.upernet import model as UPERNET
from vitdet.backbones import SwinTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.layers.winograd import use_winograd

NUM_CLASSES = 150
CHANNELS = [96, 192, 384, 768]
# From names in memory of transformers 5 to those in its files, which we read.
BACKBONE_RENAMES = {
    r"^swin\.": "",
    r"\.attention\.q_proj\.": ".attention.self.query.",
    r"\.attention\.k_proj\.": ".attention.self.key.",
    r"\.attention\.v_proj\.": ".attention.self.value.",
    r"\.attention\.o_proj\.": ".attention.output.dense.",
    r"\.attention\.relative_position_bias\.": ".attention.self.",
    r"\.mlp\.fc1\.": ".intermediate.dense.",
    r"\.mlp\.fc2\.": ".output.dense.",
}
HEAD_RENAMES = {r"\.batch_norm\.": ".bn.", r"^classifier\.": "conv_seg."}


def upernet(backbone: dict[str, Any], window: int, *, is_mmseg: bool = False) -> EncoderDecoder:
    """Our config without dropout, on some backbone and as our or mmseg's segmentor."""
    config = ConfigDict(copy.deepcopy(UPERNET))
    if is_mmseg:
        config.type = EncoderDecoder
    heads = config["decode_head"], config["auxiliary_head"]
    for head, channels in zip(heads, (CHANNELS, CHANNELS[2]), strict=True):
        head.update(in_channels=channels, num_classes=NUM_CLASSES, dropout_ratio=0)
    stride = window * 2 // 3
    test_cfg = dict(mode="slide", crop_size=(window, window), stride=(stride, stride))
    config.update(backbone={**backbone, "drop_path_rate": 0.0}, test_cfg=test_cfg)
    with DefaultScope.overwrite_default_scope("mmseg"):
        return revert_sync_batchnorm(MODELS.build(config))


def vitdet_model(window: int) -> EncoderDecoder:
    """Ours, with the weights of a random transformers model where that is installed."""
    torch.manual_seed(0)
    # As Runner and Predictor do.
    model = use_winograd(upernet(dict(type=SwinTransformer, arch="tiny"), window))
    try:
        state = transformers_model().state_dict()
    except ImportError:
        return model
    load_checkpoint(model.backbone, part_of(state, "backbone", BACKBONE_RENAMES))
    for part in ("decode_head", "auxiliary_head"):
        load_state(getattr(model, part), part_of(state, part, HEAD_RENAMES))
    return model


def mmseg_model(window: int) -> EncoderDecoder:
    from mmseg.models.backbones import SwinTransformer as MmsegSwin

    ours = vitdet_model(window)
    model = upernet(dict(type=MmsegSwin), window, is_mmseg=True)
    for part in ("decode_head", "auxiliary_head"):
        load_state(getattr(model, part), getattr(ours, part).state_dict())
    state = in_mmdet_layout(ours.backbone.state_dict())
    load_state(model.backbone, state, computed="relative_position_index")
    return model


def transformers_model() -> nn.Module:
    from transformers import SwinConfig, UperNetConfig, UperNetForSemanticSegmentation

    torch.manual_seed(0)
    stages = [f"stage{index}" for index in range(1, 5)]
    backbone = SwinConfig(drop_path_rate=0.0, out_features=stages)
    return UperNetForSemanticSegmentation(
        UperNetConfig(backbone_config=backbone, num_labels=NUM_CLASSES)
    )


def part_of(state: dict[str, Tensor], part: str, renames: dict[str, str]) -> dict[str, Tensor]:
    """Entries of one part of a model, renamed."""
    renamed = {}
    for key, tensor in state.items():
        if key.startswith(f"{part}."):
            key = key.removeprefix(f"{part}.")
            for pattern, replacement in renames.items():
                key = re.sub(pattern, replacement, key)
            renamed[key] = tensor
    return renamed


def problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images: (B, 3, H, W), and label maps: (B, H, W), no pixel of which is ignored."""
    generator = torch.Generator().manual_seed(0)
    batch, *size = case.options["shape"]
    images = torch.randn(batch, 3, *size, generator=generator)
    labels = torch.randint(NUM_CLASSES, (batch, *size), generator=generator)
    return images.to(device), labels.to(device)


def mmseg_step(model: EncoderDecoder, case: Case, device: torch.device) -> Step:
    model.to(device).train(case.options["is_training"])
    images, labels = problem(case, device)
    size = tuple(images.shape[-2:])

    def samples() -> list[SegDataSample]:
        meta = dict(img_shape=size, ori_shape=size, pad_shape=size)
        return [
            SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=one[None])) for one in labels
        ]

    def train() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        loss, _ = model.parse_losses(model.loss(images, samples()))
        loss.backward()
        return [loss.detach()]

    def predict() -> Sequence[Tensor]:
        with torch.no_grad():
            return [one.seg_logits.data for one in model.predict(images, samples())]

    return train if case.options["is_training"] else predict


def vitdet_upernet(case: Case, device: torch.device) -> Step:
    return mmseg_step(vitdet_model(case.options["window"]), case, device)


def mmseg_upernet(case: Case, device: torch.device) -> Step:
    return mmseg_step(mmseg_model(case.options["window"]), case, device)


def transformers_upernet(case: Case, device: torch.device) -> Step:
    """Theirs; it has no sliding window, and is put into mmseg's."""
    model = transformers_model().to(device).train(case.options["is_training"])
    images, labels = problem(case, device)
    window = case.options["window"]
    stride = window * 2 // 3
    slider = SimpleNamespace(
        test_cfg=SimpleNamespace(stride=(stride, stride), crop_size=(window, window)),
        out_channels=NUM_CLASSES,
        encode_decode=lambda crop, metas: model(crop).logits,
    )

    def train() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        loss = model(images, labels=labels).loss
        loss.backward()
        return [loss.detach()]

    def predict() -> Sequence[Tensor]:
        model.auxiliary_head = None  # which it would run for nothing
        with torch.no_grad():
            logits = EncoderDecoder.slide_inference(slider, images, [{}])
            logits.argmax(dim=1)
        return list(logits)

    return train if case.options["is_training"] else predict


def cases(is_quick: bool) -> list[Case]:
    window = 128 if is_quick else 512
    shapes = {"training step": (2, window, window), "inference": (1, window, window * 4 // 3)}
    return [
        Case(
            f"{'x'.join(map(str, shape))} fp32 {name}",
            {"shape": shape, "window": window, "is_training": name == "training step"},
            tolerance=1e-3,
        )
        for name, shape in shapes.items()
    ]


BENCHMARK = Benchmark(
    f"UperNet Swin-T, {NUM_CLASSES} classes, inference in sliding windows",
    cases,
    {"vitdet": vitdet_upernet, "mmseg": mmseg_upernet, "transformers": transformers_upernet},
)
