"""What taking attention weights costs a forward pass, and that it costs nothing when not asked for.

    python benchmarks/attention_capture.py
    python benchmarks/attention_capture.py --count-only   # operations of a training step

Prints, for each backbone, milliseconds of a forward pass without and with the weights of all
layers, taking turns, the minimum of the process's time on one thread; and how many of torch's
operations a training step (forward and backward) takes before a capture and after one.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from vitdet import backbones

SIZE = (224, 320)
MODELS = {
    "ViT-Ti": lambda: backbones.VisionTransformer("tiny"),
    "ViTDet-Ti (windows)": lambda: backbones.VisionTransformer(
        "tiny", window_size=14, use_rel_pos=True, rel_pos_img_size=224
    ),
    "Swin-T": lambda: backbones.SwinTransformer("tiny"),
    "Swin v2-T": lambda: backbones.SwinTransformerV2("tiny"),
    "PVT-Ti": lambda: backbones.PyramidVisionTransformer("tiny"),
    "PVT v2-b0": lambda: backbones.PyramidVisionTransformerV2("b0"),
    "TNT-S": lambda: backbones.TNT("small"),
    "Focal-T": lambda: backbones.FocalTransformer("tiny"),
}


class Count(TorchDispatchMode):
    """Counts operations."""

    number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.number += 1
        return func(*args, **(kwargs or {}))


def operations(model: nn.Module, images: Tensor) -> int:
    """Of a training step."""
    model.train().zero_grad()
    torch.manual_seed(0)
    with Count() as count:
        sum(one.sum() for one in model(images)).backward()
    return count.number


def milliseconds(run) -> float:
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count-only", action="store_true")
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--out", default="benchmarks/results/attention_capture.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.randn(1, 3, *SIZE)
    results = {}
    for name, build in MODELS.items():
        torch.manual_seed(0)
        model = build()
        row = {"operations_of_a_training_step": operations(model, images)}
        if not arguments.count_only:
            row |= measure(model, images, arguments.repeats)
            row["operations_after_a_capture"] = operations(model, images)
        results[name] = row
        print(name, row, flush=True)
    if not arguments.count_only:
        content = dict(
            command="python benchmarks/attention_capture.py",
            machine="one thread of a busy AMD EPYC without AVX-512, float32, 1 image of 224 x 320",
            torch=torch.__version__,
            results=results,
        )
        Path(arguments.out).write_text(json.dumps(content, indent=2) + "\n")


@torch.no_grad()
def measure(model: nn.Module, images: Tensor, repeats: int) -> dict[str, float]:
    from vitdet.insight.attention_capture import capture_attention

    model.eval()

    def plain() -> None:
        model(images)

    def asked() -> None:
        with capture_attention(model):
            model(images)

    plain(), asked()
    times = [(milliseconds(plain), milliseconds(asked)) for _ in range(repeats)]
    without, with_weights = (min(one) for one in zip(*times, strict=True))
    return {
        "forward_ms": round(without, 1),
        "forward_with_weights_ms": round(with_weights, 1),
        "ratio": round(with_weights / without, 2),
    }


if __name__ == "__main__":
    main()
