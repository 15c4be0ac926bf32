"""Our IoUMetric against mmseg's: predictions of ADE20K's size and classes, `process` to means."""

from collections.abc import Sequence

import torch
from harness import Benchmark, Case, Step
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from vitdet.evaluation import IoUMetric

NUM_CLASSES, SIZE, NUM_MAPS, BATCH = 150, (512, 683), 20, 4
ALL = ("mIoU", "mDice", "mFscore")


def label_maps(device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Predicted and true maps of smooth regions: most pixels right, a twentieth ignored."""
    generator = torch.Generator().manual_seed(0)

    def noise(size: tuple[int, int]) -> Tensor:
        coarse = torch.rand(1, 1, *size, generator=generator)
        return torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic")[0, 0]

    pairs = []
    for _ in range(NUM_MAPS):
        truth = noise((6, 8)).clamp(0, 0.999).mul(NUM_CLASSES).long()
        predicted = truth.where(noise((40, 50)) < 0.75, truth.roll(97, 0))
        truth[noise((20, 25)) < 0.05] = 255
        pairs.append((predicted.to(device), truth.to(device)))
    return pairs


def step_of(metric: BaseMetric, case: Case, device: torch.device) -> Step:
    MMLogger.get_current_instance().setLevel("WARNING")  # the tables are made, not shown
    metric.dataset_meta = {"classes": [str(k) for k in range(NUM_CLASSES)]}
    samples = [
        {"pred_sem_seg": {"data": predicted[None]}, "gt_sem_seg": {"data": truth[None]}}
        for predicted, truth in label_maps(device)
    ]
    num_images = case.options["num_images"]

    def step() -> Sequence[Tensor]:
        for start in range(0, num_images, BATCH):
            metric.process({}, [samples[i % NUM_MAPS] for i in range(start, start + BATCH)])
        return [torch.tensor(list(metric.evaluate(num_images).values()))]

    return step


def vitdet_metric(case: Case, device: torch.device) -> Step:
    return step_of(IoUMetric(iou_metrics=case.options["metrics"]), case, device)


def mmseg_metric(case: Case, device: torch.device) -> Step:
    from mmseg.evaluation.metrics import IoUMetric as MmsegMetric

    return step_of(MmsegMetric(iou_metrics=case.options["metrics"]), case, device)


def cases(is_quick: bool) -> list[Case]:
    num_images = 20 if is_quick else 500
    return [
        Case(
            f"{num_images} images {' '.join(metrics)}",
            {"num_images": num_images, "metrics": metrics},
            tolerance=1e-3,  # mmseg adds in float32 and rounds to 0.01 of 100
        )
        for metrics in (ALL[:1], ALL)
    ]


BENCHMARK = Benchmark(
    f"IoU of {SIZE[1]}x{SIZE[0]} predictions of {NUM_CLASSES} classes",
    cases,
    {"vitdet": vitdet_metric, "mmseg": mmseg_metric},
)
