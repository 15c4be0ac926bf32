"""Our YOLOS-Ti and -S against transformers': a training step and inference of one image."""

from set_prediction_peers import NUM_CLASSES, set_prediction_benchmark
from torch import nn

from vitdet.detectors import YOLOS
from vitdet.detectors.yolos import ARCHS


def vitdet_model(arch: str) -> YOLOS:
    return YOLOS(arch, NUM_CLASSES)


def transformers_model(arch: str, attention: str) -> nn.Module:
    from transformers import YolosConfig, YolosForObjectDetection

    size = ARCHS[arch]
    config = YolosConfig(
        hidden_size=size.embed_dims,
        num_hidden_layers=size.depth,
        num_attention_heads=size.num_heads,
        intermediate_size=4 * size.embed_dims,
        image_size=list(size.img_size),
        use_mid_position_embeddings=size.mid_img_size is not None,
        num_labels=NUM_CLASSES,
        layer_norm_eps=1e-6,  # the authors', and ours; fresh tokens are so small that it shows
    )
    return YolosForObjectDetection._from_config(config, attn_implementation=attention)


BENCHMARK = set_prediction_benchmark(
    "YOLOS, one image",
    vitdet_model,
    transformers_model,
    sizes={"tiny": ((512, 672),), "small": ((512, 672),)},
    quick_size=("tiny", (256, 320)),
)
