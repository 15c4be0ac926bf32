"""Loss and scores over the training."""

import re

from vitdet.report.chart import line_chart
from vitdet.report.scalars import Curve, Scalars, curve
from vitdet.visualization.page import figure, section

_NAMES = {
    "coco/bbox_mAP": "box AP",
    "coco/bbox_mAP_50": "box AP50",
    "coco/segm_mAP": "mask AP",
    "coco/segm_mAP_50": "mask AP50",
    "mIoU": "mIoU",
    "mAcc": "mAcc",
    "aAcc": "aAcc",
    "coco_panoptic/PQ": "PQ",
    "coco_panoptic/PQ_th": "PQ of things",
    "coco_panoptic/PQ_st": "PQ of stuff",
    "accuracy/top1": "top-1",
    "accuracy/top5": "top-5",
}
_MAX_LINES = 6
_PART_OF_LOSS = re.compile(r"(decode\.|aux\.|\w+\.)?loss_\w+")
_NO_SCORE = {"step", "time", "data_time", "epoch", "iter", "memory"}


def curves_section(scalars: Scalars, *, by_epoch: bool) -> str:
    """Charts of what was logged; empty text where nothing was."""
    charts = []
    total = curve(scalars.training, "loss")
    if total[0]:
        charts.append(figure(line_chart([("", total)], x_name="step"), "loss"))
        parts = _parts_of_loss(scalars)
        if parts:
            charts.append(figure(line_chart(parts, x_name="step"), "parts of the loss"))
    scores = _scores(scalars)
    if scores:
        x_name = "epoch" if by_epoch else "step"
        charts.append(figure(line_chart(scores, x_name=x_name), "scores on the validation images"))
    rate = curve(scalars.training, "lr")
    if rate[0]:
        charts.append(figure(line_chart([("", rate)], x_name="step"), "learning rate"))
    if not charts:
        return ""
    return section("How the training went", f'<div class="grid">{"".join(charts)}</div>')


def main_scores(metrics: dict[str, float]) -> list[tuple[str, float]]:
    """The scores that users rank models by, by their names; otherwise the first few."""
    known = [(name, metrics[key]) for key, name in _NAMES.items() if key in metrics]
    others = [(key, value) for key, value in metrics.items() if key not in _NO_SCORE]
    return known or others[:_MAX_LINES]


def _scores(scalars: Scalars) -> list[tuple[str, Curve]]:
    logged = {key: value for one in scalars.evaluations for key, value in one.items()}
    key_of = {name: key for key, name in _NAMES.items()}
    named = [
        (name, curve(scalars.evaluations, key_of.get(name, name)))
        for name, _ in main_scores(logged)
    ]
    return [(name, points) for name, points in named if points[0]]


def _parts_of_loss(scalars: Scalars) -> list[tuple[str, Curve]]:
    """The largest parts; of each decoder layer's own loss ("d0.loss_cls") only the last one's."""
    keys = {key for one in scalars.training for key in one if _PART_OF_LOSS.fullmatch(key)}
    keys = {key for key in keys if not re.match(r"(enc_|d\d|\d)", key)}
    curves = [(key, curve(scalars.training, key)) for key in sorted(keys)]
    curves = [(key, points) for key, points in curves if points[0]]
    largest = sorted(curves, key=lambda one: -max(one[1][1]))[:_MAX_LINES]
    return sorted(largest) if len(curves) > 1 else []
