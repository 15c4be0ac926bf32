"""Images worth a look: the best, the worst, and those with the most confident mistakes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from vitdet.datasets.images import image_of, read_image
from vitdet.evaluation.coco_record import SHOWN_SCORE
from vitdet.evaluation.rle import decode_masks
from vitdet.report.matching import BADLY_PLACED, FAULTS, TWICE, WRONG_CLASS, ImageMatch
from vitdet.visualization.draw import draw_instances
from vitdet.visualization.ground_truth import draw_ground_truth
from vitdet.visualization.page import figure, picture, section

_SIDE = 480  # pixels of a drawing's longer side


def examples_section(
    matches: Sequence[ImageMatch], dataset: BaseDataset, *, num_images: int = 4
) -> str:
    """The chosen images, ground truth left, what was found right. Of each kind `num_images`."""
    best, worst = best_and_worst(matches, num_images)
    confident = most_confidently_wrong(matches, num_images)
    index = {dataset.get_data_info(i)["img_id"]: i for i in range(len(dataset))}
    names = dataset.metainfo["classes"]
    groups = {
        "Best": [(match, _summary(match)) for match in best],
        "Worst": [(match, _summary(match)) for match in worst],
        "Most confidently wrong": [(match, _mistake(match, names)) for match in confident],
    }
    parts = []
    for title, chosen in groups.items():
        pairs = [
            _pair(dataset.get_data_info(index[match.found.image_id]), match, names, text)
            for match, text in chosen
            if match.found.image_id in index
        ]
        if pairs:
            parts.append(f'<h3>{title}</h3><div class="grid wide">{"".join(pairs)}</div>')
    if not parts:
        return ""
    note = f"Left what is labelled, right what was found with a score of at least {SHOWN_SCORE}."
    return section("Images", *parts, note=note)


def best_and_worst(
    matches: Sequence[ImageMatch], number: int
) -> tuple[list[ImageMatch], list[ImageMatch]]:
    """At most `number` images with the highest F-scores above 0, of these with the most objects
    first; and of the others those with the lowest below 1, of these with the most mistakes first.
    """
    judged = [match for match in matches if not np.isnan(match.f_score)]
    best = sorted(judged, key=lambda match: (-match.f_score, -match.num_true))
    best = [match for match in best[: min(number, -(-len(best) // 2))] if match.f_score > 0]
    others = [match for match in judged if match.f_score < 1 and match not in best]
    worst = sorted(others, key=lambda m: (m.f_score, -(m.num_wrong + len(m.missed))))
    return best, worst[:number]


def most_confidently_wrong(matches: Sequence[ImageMatch], number: int) -> list[ImageMatch]:
    """At most `number` images whose best scored mistake is scored highest."""
    scored = [(_worst_mistake(match), match) for match in matches]
    wrong = [(match.found.scores[n], match) for n, match in scored if n is not None]
    return [match for _, match in sorted(wrong, key=lambda one: -one[0])[:number]]


def _worst_mistake(match: ImageMatch) -> int | None:
    """Place of the wrong object of highest score."""
    wrong = [n for n, verdict in enumerate(match.verdicts) if verdict in FAULTS]
    return max(wrong, key=lambda n: match.found.scores[n]) if wrong else None


def _summary(match: ImageMatch) -> str:
    others = f", {match.num_wrong} wrong" if match.num_wrong else ""
    return f"{match.num_correct} of {match.num_true} found{others}"


def _mistake(match: ImageMatch, names: Sequence[str]) -> str:
    n = _worst_mistake(match)
    what = f"{names[match.found.labels[n]]} {match.found.scores[n]:.2f}"
    verdict = match.verdicts[n]
    if verdict == WRONG_CLASS:
        place = match.partners[n] if match.partners[n] >= 0 else match.nearest[n]
        return f"{what}, where {names[match.truth.labels[place]]} is labelled"
    if verdict == BADLY_PLACED:
        place = names[match.truth.labels[match.nearest[n]]]
        return f"{what}, badly placed: IoU {match.overlaps[n]:.2f} with a labelled {place}"
    return f"{what}, found twice" if verdict == TWICE else f"{what}, where nothing is labelled"


def _pair(data_info: Mapping[str, Any], match: ImageMatch, names: Sequence[str], text: str) -> str:
    source = image_of(data_info)
    pixels = source if isinstance(source, np.ndarray) else read_image(source)
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    found = match.found
    drawn = draw_instances(
        pixels,
        found.boxes,
        labels=found.labels,
        class_names=names,
        scores=found.scores,
        masks=None if found.masks is None else decode_masks(found.masks, height, width),
        scale=scale,
    )
    truth = draw_ground_truth(data_info, names, scale=scale)
    path = data_info["img_path"]
    name = path.replace("\\", "/").rsplit("/", 1)[-1] if path else f"image {found.image_id}"
    pair = picture(truth, f"{name}: labels") + picture(drawn, f"{name}: found")
    return figure(f'<div class="pair">{pair}</div>', f"{name}: {text}")
