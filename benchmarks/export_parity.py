"""Full-size models written as ONNX: does onnxruntime say what torch says, and how fast?

    python benchmarks/export_parity.py PHOTO [PHOTO ...] [--only TEXT]

Each model is built from its config with random weights, since nothing is downloaded: they are drawn
so wide that scores differ, and NMS decides the same on both sides. Written at the recipe's own size
and compared on the photos by `vitdet.deploy.parity`, which raises beyond 0.1 pixels, 0.001 of a
score or 0.1 % of labels and pixels. Then torch (eager, the whole predictor) and onnxruntime take
turns on the first photo, all cores, wall clock; the least of three counts.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from harness import machine
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from vitdet.deploy.export import export
from vitdet.deploy.parity import compare
from vitdet.engine.config import load_model_config
from vitdet.inference import Predictor

CONFIGS = (
    "detr_coco",
    "yolos_small_coco",
    "swin_retinanet_coco",
    "pvt_retinanet_coco",
    "swin_maskrcnn_coco",
    "swin_cascade_maskrcnn_coco_3x",
    "swin_upernet_ade20k",
    "pvt_semanticfpn_ade20k",
)
RESULTS = Path(__file__).parent / "results" / "export_parity.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--only", default="", metavar="TEXT", help="configs with TEXT in the name")
    arguments = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"models": {}}
    kept["machine"] = machine(torch.device("cpu"))
    for name in CONFIGS:
        if arguments.only in name:
            kept["models"][name] = measure(name, arguments.photos)
            print(name, kept["models"][name], flush=True)
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


def measure(name: str, photos: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder, f"{name}.pth")
        save(name, checkpoint)
        file = export(checkpoint, images=photos)
        exported, reference = Predictor(file, "cpu"), Predictor(checkpoint, "cpu")
        parity = compare(exported, reference, [Path(photo) for photo in photos])
        times = {"torch": float("inf"), "onnxruntime": float("inf")}
        for _ in range(3):
            for runtime, predictor in (("torch", reference), ("onnxruntime", exported)):
                start = time.perf_counter()
                predictor(photos[0])
                times[runtime] = min(times[runtime], time.perf_counter() - start)
        return dict(
            size=exported.card.size,
            megabytes=round(file.stat().st_size / 1e6, 1),
            objects=parity.num_objects,
            pixels=parity.pixels,
            scores=parity.scores,
            equal=parity.equal,
            seconds={runtime: round(value, 3) for runtime, value in times.items()},
        )


def save(name: str, path: Path) -> None:
    """A checkpoint of a config's model as a run would write it."""
    config = load_model_config(name)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        model = MODELS.build(config["model"])
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter.flatten(1))
    number = max(one.num_classes for one in model.modules() if hasattr(one, "num_classes"))
    meta = dict(cfg=config.pretty_text, dataset_meta=dict(classes=[f"c{k}" for k in range(number)]))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)


if __name__ == "__main__":
    main()
