"""Our DETR-R50 against transformers': a training step and inference of one image."""

from set_prediction_peers import NUM_CLASSES, set_prediction_benchmark
from torch import nn

from vitdet.backbones import ResNet
from vitdet.detectors import DETR

TRAINED_STAGES = ("layer2", "layer3", "layer4")


def vitdet_model(arch: str) -> DETR:
    return DETR(ResNet(arch, out_indices=(3,), frozen_stages=1), NUM_CLASSES, dropout=0.0)


def transformers_model(arch: str, attention: str) -> nn.Module:
    """Theirs, with the stem and the first stage frozen like ours."""
    from transformers import DetrConfig, DetrForObjectDetection

    config = DetrConfig(
        num_labels=NUM_CLASSES,
        backbone=arch,
        use_timm_backbone=True,
        use_pretrained_backbone=False,
        backbone_config=None,
        auxiliary_loss=True,
        dropout=0.0,
    )
    model = DetrForObjectDetection._from_config(config, attn_implementation=attention)
    for name, parameter in model.named_parameters():
        if "backbone" in name and not any(stage in name for stage in TRAINED_STAGES):
            parameter.requires_grad_(False)
    return model


BENCHMARK = set_prediction_benchmark(
    "DETR, one image",
    vitdet_model,
    transformers_model,
    sizes={"resnet50": ((512, 672), (800, 1088))},
    quick_size=("resnet50", (256, 320)),
)
