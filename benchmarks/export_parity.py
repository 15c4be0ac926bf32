"""Full-size models written as ONNX: does onnxruntime say what torch says, and how fast?

    python benchmarks/export_parity.py PHOTO [PHOTO ...] [--only TEXT]

Each model is built from its config with random weights, since nothing is downloaded: they are drawn
so wide that scores differ, and NMS decides the same on both sides. RetinaNet's last ones are a
quarter as wide, since its hundred best scores, of which no more are kept, would all lie above
0.9999: with a unit of the last digit between the hundredth and the next, rounding chooses. Written
at the recipe's own size and compared on the photos by `vitdet.deploy.parity`, which raises beyond
0.1 pixels, 0.001 of a score or 0.1 % of labels and pixels. Then torch (eager) and onnxruntime take
turns on the very same pixels, the padded first photo, from pixels to a `Prediction`: one thread
each, processor time; the lesser of two rounds counts.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from harness import machine, time_in_turns
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from vitdet.datasets.images import read_image
from vitdet.deploy.export import export
from vitdet.deploy.parity import compare, in_torch
from vitdet.engine.config import load_model_config
from vitdet.inference import Predictor
from vitdet.inference.onnx_predictor import OnnxPredictor
from vitdet.inference.torch_predictor import TorchPredictor

from mmdet.models.dense_heads import RetinaHead  # isort: skip  needs vitdet imported before it

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
ROUNDS = 2
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
        file = export(checkpoint, images=photos[:1])
        exported, reference = Predictor(file, "cpu"), Predictor(checkpoint, "cpu")
        parity = compare(exported, reference, [Path(photo) for photo in photos])
        return dict(
            size=exported.card.size,
            megabytes=round(file.stat().st_size / 1e6, 1),
            objects=parity.num_objects,
            pixels=parity.pixels,
            scores=parity.scores,
            equal=parity.equal,
            cpu_seconds=cpu_seconds(file, reference, photos[0]),
        )


def cpu_seconds(file: Path, reference: TorchPredictor, photo: str) -> dict[str, float]:
    """What each runtime takes for the same pixels."""
    torch.set_num_threads(1)
    exported = OnnxPredictor(file, "cpu", threads=1)
    pixels, _ = exported.prepare(read_image(Path(photo)))
    calls = {
        "torch": lambda: in_torch(reference, pixels),
        "onnxruntime": lambda: exported([pixels]),
    }
    steps = time_in_turns(calls, ROUNDS, torch.device("cpu"))
    return {name: round(step["cpu_minimum"], 3) for name, step in steps.items()}


def save(name: str, path: Path) -> None:
    """A checkpoint of a config's model as a run would write it."""
    config = load_model_config(name)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        model = MODELS.build(config["model"])
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter.flatten(1))
    if isinstance(getattr(model, "bbox_head", None), RetinaHead):
        model.bbox_head.retina_cls.weight.data *= 0.25
    number = max(one.num_classes for one in model.modules() if hasattr(one, "num_classes"))
    meta = dict(cfg=config.pretty_text, dataset_meta=dict(classes=[f"c{k}" for k in range(number)]))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)


if __name__ == "__main__":
    main()
