"""How often a training step waits for the device, counted on a CPU: ours, mmdet's, torchvision's.

    python benchmarks/syncs.py [--only TEXT]

Counted are the forward pass and the losses of two images of 320x320, the second time, as
`tests/synchronisations.py` does it; `benchmarks/results/syncs.json` has which operations wait.
Of predictions, the pasting of masks is left out, which a GPU does in another way than a CPU.
"""

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import rcnn_peers
import torch
from rcnn_peers import mmdet_losses, torchvision_losses
from torch import nn

from tests.synchronisations import counted
from vitdet.backbones import ResNet
from vitdet.detectors import DETR

RESULT = Path(__file__).parent / "results" / "syncs.json"
SIZE, IMAGES = (320, 320), 2


def detr() -> nn.Module:
    backbone = ResNet("resnet50", out_indices=(3,), frozen_stages=1)
    return DETR(backbone, rcnn_peers.NUM_CLASSES, dropout=0.0)


def yolos() -> nn.Module:
    return rcnn_peers.our_model("yolos_tiny_coco")


def ours(name: str) -> Callable[[], nn.Module]:
    return functools.partial(rcnn_peers.vitdet_swin, name)


def predictions(model: nn.Module, size: tuple[int, int], num_images: int) -> Callable[[], Any]:
    """A prediction with 100 objects in each image, of 100 regions, whatever their scores."""
    images, samples = rcnn_peers.batch(size, num_images)
    model.eval()
    model.rpn_head.test_cfg["max_per_img"] = 100
    model.roi_head.test_cfg["score_thr"] = 0.0
    mask_heads = model.roi_head.mask_head
    for head in mask_heads if isinstance(mask_heads, nn.ModuleList) else [mask_heads]:
        head.predict_by_feat = lambda mask_preds, results_list, *_, **__: results_list

    def step() -> list[Any]:
        with torch.no_grad():
            results = model.predict(images, samples)
        assert all(len(one.pred_instances) == 100 for one in results)
        return results

    return step


SWIN, CASCADE = "swin_maskrcnn_coco", "swin_cascade_maskrcnn_coco_3x"
MODELS = {
    "Mask R-CNN Swin-T, vitdet": (ours(SWIN), mmdet_losses),
    "Mask R-CNN Swin-T, mmdet": (rcnn_peers.mmdet_swin, mmdet_losses),
    "Mask R-CNN ResNet-50, vitdet": (rcnn_peers.vitdet_resnet, mmdet_losses),
    "Mask R-CNN ResNet-50, torchvision": (rcnn_peers.torchvision_resnet, torchvision_losses),
    "Cascade Mask R-CNN Swin-T, vitdet": (ours(CASCADE), mmdet_losses),
    "RetinaNet Swin-T, vitdet": (ours("swin_retinanet_coco"), mmdet_losses),
    "DETR ResNet-50, vitdet": (detr, mmdet_losses),
    "YOLOS-Ti, vitdet": (yolos, mmdet_losses),
    "prediction of Mask R-CNN Swin-T, vitdet": (ours(SWIN), predictions),
    "prediction of Mask R-CNN Swin-T, mmdet": (rcnn_peers.mmdet_swin, predictions),
    "prediction of Cascade Mask R-CNN Swin-T, vitdet": (ours(CASCADE), predictions),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="models with TEXT in their name")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    for name, (build, measured) in MODELS.items():
        if only not in name:
            continue
        step = measured(build().train(), SIZE, IMAGES)
        step()
        with counted() as found:
            step()
        figures[name] = {"total": sum(found.values()), "operations": dict(sorted(found.items()))}
        print(f"{name:<50}{figures[name]['total']:>4}")
    if only and RESULT.is_file():  # counts do not depend on the machine: the others are kept
        figures = json.loads(RESULT.read_text())["synchronisations"] | figures
    result = {"machine": harness.machine(torch.device("cpu")), "synchronisations": figures}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
