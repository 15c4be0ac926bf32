"""What the benchmarks of DETR and YOLOS share: one image with objects, trained on or predicted."""

import functools
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import torch
from harness import Benchmark, Case, Step
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from vitdet.checkpoints import load_checkpoint
from vitdet.compat.cpu_amp import has_bfloat16
from vitdet.detectors.set_predictor import SetPredictor
from vitdet.layers.winograd import use_winograd
from vitdet.set_prediction.boxes import cxcywh_to_xyxy

NUM_CLASSES, NUM_OBJECTS = 91, 7
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
TOLERANCES = {"fp32": 1e-3, "bf16": 0.1}
MODES = ("inference", "training step")


def set_prediction_benchmark(
    title: str,
    vitdet_model: Callable[[str], SetPredictor],
    transformers_model: Callable[[str, str], nn.Module],
    *,
    sizes: Mapping[str, Sequence[tuple[int, int]]],
    quick_size: tuple[str, tuple[int, int]],
) -> Benchmark:
    """A benchmark of one detector against transformers' with plain and with fused attention.

    Args:
        title: one line above the table.
        vitdet_model: builds ours from the name of an architecture.
        transformers_model: builds theirs from that name and their name of an attention.
        sizes: image sizes (H, W) of each architecture.
        quick_size: the one architecture and size of a quick run.
    """

    @functools.cache
    def weights(arch: str) -> dict[str, Tensor]:
        """Those of a random model of theirs, or of ours where transformers is not installed."""
        torch.manual_seed(0)
        try:
            return transformers_model(arch, "eager").state_dict()
        except ImportError:
            return vitdet_model(arch).state_dict()

    def ours(case: Case, device: torch.device) -> Step:
        model = use_winograd(vitdet_model(case.options["arch"]))  # as Runner and Predictor do
        load_checkpoint(model, weights(case.options["arch"]))
        return vitdet_step(model, case, device)

    def theirs(attention: str, case: Case, device: torch.device) -> Step:
        model = transformers_model(case.options["arch"], attention)
        model.load_state_dict(weights(case.options["arch"]))
        return transformers_step(model, case, device)

    def cases(is_quick: bool) -> list[Case]:
        all_sizes = [(arch, size) for arch in sizes for size in sizes[arch]]
        # A CPU that emulates bfloat16 says nothing about it.
        dtypes = DTYPES if torch.cuda.is_available() or has_bfloat16() else ("fp32",)
        return [
            Case(
                f"{arch} {size[0]}x{size[1]} {dtype} {mode}",
                dict(arch=arch, size=size, dtype=DTYPES[dtype], is_training=mode != "inference"),
                tolerance=TOLERANCES[dtype],
            )
            for (arch, size), dtype, mode in product(
                [quick_size] if is_quick else all_sizes, dtypes, MODES
            )
        ]

    peers = {name: functools.partial(theirs, name) for name in ("eager", "sdpa")}
    return Benchmark(title, cases, {"vitdet": ours, **peers})


def problem(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """An image, and the labels and boxes (cxcywh) of the objects in it."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, *case.options["size"], generator=generator)
    labels = torch.randint(NUM_CLASSES, (NUM_OBJECTS,), generator=generator)
    boxes = torch.rand(NUM_OBJECTS, 4, generator=generator) * 0.3 + 0.3
    return image.to(device), labels.to(device), boxes.to(device)


def vitdet_step(model: SetPredictor, case: Case, device: torch.device) -> Step:
    """Returns the loss of a training step, or the logits and boxes of inference."""
    model = model.to(device).train(case.options["is_training"])
    image, labels, boxes = problem(case, device)
    size = case.options["size"]
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    scale = boxes.new_tensor([size[1], size[0]] * 2)
    sample.gt_instances = InstanceData(bboxes=cxcywh_to_xyxy(boxes) * scale, labels=labels)

    def train() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        with autocast(case, device):
            losses = model.loss(image, [sample])
            loss = sum(value for name, value in losses.items() if name.startswith("loss"))
        loss.backward()
        return [loss.detach()]

    def predict() -> Sequence[Tensor]:
        with torch.no_grad(), autocast(case, device):
            decoded = model.decode(image)
        return [decoded.logits[-1], decoded.boxes[-1]]

    return train if case.options["is_training"] else predict


def transformers_step(model: nn.Module, case: Case, device: torch.device) -> Step:
    model = model.to(device).train(case.options["is_training"])
    image, labels, boxes = problem(case, device)
    targets = [{"class_labels": labels, "boxes": boxes}]

    def train() -> Sequence[Tensor]:
        model.zero_grad(set_to_none=True)
        with autocast(case, device):
            loss = model(pixel_values=image, labels=targets).loss
        loss.backward()
        return [loss.detach()]

    def predict() -> Sequence[Tensor]:
        with torch.no_grad(), autocast(case, device):
            outputs = model(pixel_values=image)
        return [outputs.logits, outputs.pred_boxes]

    return train if case.options["is_training"] else predict


def autocast(case: Case, device: torch.device) -> torch.autocast:
    dtype = case.options["dtype"]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
