"""`visualize predictions`: what a model finds beside what is labelled, errors marked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image, ImageDraw

from vitdet.datasets.images import image_of
from vitdet.errors import UserError
from vitdet.evaluation.coco_record import SHOWN_SCORE, FoundObjects
from vitdet.inference.prediction import Prediction
from vitdet.insight.heat import resized
from vitdet.insight.model_view import load_predictor
from vitdet.insight.sheet import Group, Panel, write_sheet
from vitdet.report.matching import (
    BADLY_PLACED,
    CORRECT,
    IN_CROWD,
    NOTHING,
    TWICE,
    WRONG_CLASS,
    ImageMatch,
    Truth,
    match_image,
)
from vitdet.visualization.colours import Colour
from vitdet.visualization.draw import draw_box, draw_labels
from vitdet.visualization.ground_truth import draw_ground_truth
from vitdet.visualization.semantic import (
    LegendEntry,
    class_colours,
    draw_legend,
    legend_entries,
    tint,
)

MISSED = "missed"
COLOURS: Mapping[str, Colour] = {
    CORRECT: (60, 180, 75),
    WRONG_CLASS: (255, 150, 20),
    BADLY_PLACED: (60, 130, 255),
    TWICE: (190, 90, 255),
    NOTHING: (235, 40, 50),
    MISSED: (255, 230, 40),
    IN_CROWD: (150, 150, 150),
}
_NOTE = (
    "Left what is labelled, right what was found and what was missed: wrong class, badly placed "
    "(IoU below 0.5), found twice, nothing there. As in reports of a run."
)


class Judged(NamedTuple):
    """An image, what was found in it, and how that was judged; pixel by pixel for label maps."""

    index: int
    prediction: Prediction
    match: ImageMatch | None
    truth: np.ndarray | None

    @property
    def goodness(self) -> float:
        """1 where all is right, NaN where there is nothing to judge."""
        if self.match is not None:
            return self.match.f_score
        if self.truth is None:
            return float("nan")
        return pixel_accuracy(self.truth, self.prediction.semantic, len(self.prediction.colours))


def draw_errors(
    config: Config,
    checkpoint: str | Path,
    *,
    num_images: int = 8,
    worst: bool = False,
    score_threshold: float = SHOWN_SCORE,
    side: int = 480,
    out: str | Path | None = "predictions.png",
    html: str | Path | None = None,
    columns: int = 2,
    device: str | None = None,
) -> tuple[list[Path], Counter[str]]:
    """Draw predictions of a config's test images beside their labels, as PNG, as a page, or both.

    Args:
        config: complete, from `load_config`.
        checkpoint: file of a trained model.
        num_images: how many to draw: the first, or with `worst` those of all where most is wrong.
        worst: whether to judge all images.
        score_threshold: objects scored lower are not found.
        side: pixels of a picture's longer side.
        out: PNG to write.
        html: page to write.
        columns: pictures in a row.
        device: "cpu", "cuda" or "mps".

    Returns the files, and how often each kind of error was made in the images that were judged.

    Raises UserError if there are no test images, or as `Predictor` does.
    """
    predictor = load_predictor(checkpoint, device)
    dataset = _test_images(config)
    if not len(dataset):
        raise UserError(f"{config.filename}: its test data has no images")
    names = dataset.metainfo["classes"]
    if not set(names) & set(predictor.class_names):
        raise UserError(
            f"{checkpoint} finds {', '.join(predictor.class_names[:5])}, the data has "
            f"{', '.join(names[:5])}: give the data it was trained for with --data"
        )
    judged = []
    for index in range(len(dataset) if worst else min(num_images, len(dataset))):
        (prediction,) = predictor(image_of(dataset.get_data_info(index)))
        judged.append(_judge(dataset, index, prediction.filter(score_threshold)))
    if worst:
        judged.sort(key=lambda one: (np.isnan(one.goodness), one.goodness))
    counts = _counts(judged)
    groups = [_group(dataset, one, side) for one in judged[:num_images]]
    if counts:
        entries = [LegendEntry(f"{kind}: {counts[kind]}", COLOURS[kind]) for kind in counts]
        legend = draw_legend(entries, (side, 200))
        groups.append(Group("", [Panel(legend, f"in {len(judged)} images")]))
    maps = [one.prediction for one in judged[:num_images] if one.prediction.is_semantic]
    if maps:
        semantic = [one.semantic for one in maps]
        entries = legend_entries(semantic, maps[0].class_names, maps[0].colours)
        groups.append(Group("", [Panel(draw_legend(entries, (2 * side, 200)), "found classes")]))
    title = f"Predictions of {Path(checkpoint).name}"
    return write_sheet(groups, title=title, note=_NOTE, columns=columns, out=out, html=html), counts


def judge_objects(
    data_info: Mapping[str, Any], class_names: Sequence[str], prediction: Prediction
) -> ImageMatch:
    """Set found objects against the labelled ones of an item of a `CocoDataset`.

    Classes are compared by name; one that the data does not know is never right.
    """
    places = {name: place for place, name in enumerate(class_names)}
    unknown = len(class_names)
    labels = [places.get(prediction.class_names[i], unknown) for i in prediction.labels]
    found = FoundObjects(
        image_id=data_info.get("img_id"),
        boxes=prediction.boxes,
        scores=prediction.scores,
        labels=np.array(labels, dtype=int),
        masks=None,
    )
    entries = sorted(data_info["instances"], key=lambda one: bool(one["ignore_flag"]))
    boxes = np.array([one["bbox"] for one in entries], dtype=float).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    truth = Truth(
        boxes=boxes,
        labels=np.array([one["bbox_label"] for one in entries], dtype=int),
        is_crowd=np.array([bool(one["ignore_flag"]) for one in entries], dtype=bool),
    )
    return match_image(found, truth)


def draw_verdicts(
    pixels: np.ndarray,
    match: ImageMatch,
    class_names: Sequence[str],
    *,
    prediction: Prediction,
    side: int,
) -> Image.Image:
    """Draw found and missed objects in the colours of their verdicts.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        match: what was found, judged.
        class_names: of the data.
        prediction: the same objects with their names.
        side: pixels of the picture's longer side.
    """
    picture = resized(pixels, side)
    scale = picture.width / pixels.shape[1]
    labels = []
    for box, label, score, verdict in zip(
        prediction.boxes, prediction.labels, prediction.scores, match.verdicts, strict=True
    ):
        text = f"{prediction.class_names[label]} {score:.2f}"
        labels.append((text, box * scale, COLOURS[verdict]))
    for place in match.missed:
        x, y, width, height = match.truth.boxes[place]
        box = np.array([x, y, x + width, y + height]) * scale
        labels.append((class_names[match.truth.labels[place]], box, COLOURS[MISSED]))
    pen = ImageDraw.Draw(picture)
    labels.sort(key=lambda one: -(one[1][2] - one[1][0]) * (one[1][3] - one[1][1]))
    for _, box, colour in labels:
        draw_box(pen, box, colour, 3, picture.size)
    draw_labels(pen, labels, picture.size)
    return picture


def pixel_accuracy(truth: np.ndarray, found: np.ndarray, num_classes: int) -> float:
    """Share of the labelled pixels of truth: (H, W) that have their class in found: (H, W)."""
    is_labelled = truth < num_classes
    return float((truth == found)[is_labelled].mean()) if is_labelled.any() else float("nan")


def _test_images(config: Config) -> BaseDataset:
    """The data set of a config's tests."""
    loader = config.get("test_dataloader") or config.get("val_dataloader")
    if loader is None:
        raise UserError(f"{config.filename}: it has no test_dataloader; give a folder with --data")
    with DefaultScope.overwrite_default_scope(config.default_scope):
        return DATASETS.build(loader["dataset"])


def _judge(dataset: BaseDataset, index: int, prediction: Prediction) -> Judged:
    data_info = dataset.get_data_info(index)
    if prediction.is_semantic:
        sample = dataset[index]["data_samples"]
        truth = sample.gt_sem_seg.data[0].numpy() if "gt_sem_seg" in sample else None
        return Judged(index, prediction, None, truth)
    has_objects = "instances" in data_info and prediction.panoptic is None
    names = dataset.metainfo["classes"]
    match = judge_objects(data_info, names, prediction) if has_objects else None
    return Judged(index, prediction, match, None)


def _counts(judged: Sequence[Judged]) -> Counter[str]:
    """How often each verdict was given, in the order of `COLOURS`."""
    found = Counter()
    for one in judged:
        if one.match is not None:
            found.update(one.match.verdicts)
            found[MISSED] += len(one.match.missed)
    return Counter({kind: found[kind] for kind in COLOURS if found[kind]})


def _group(dataset: BaseDataset, judged: Judged, side: int) -> Group:
    data_info = dataset.get_data_info(judged.index)
    name = Path(data_info.get("img_path") or f"image {judged.index}").stem
    prediction, pixels = judged.prediction, judged.prediction.pixels()
    names, scale = dataset.metainfo["classes"], side / max(pixels.shape[:2])
    if prediction.is_semantic:
        return Group(name, list(_label_panels(dataset, judged, side)))
    truth = Panel(draw_ground_truth(data_info, names, scale=scale), "labelled")
    if judged.match is None:
        return Group(name, [truth, Panel(prediction.draw(scale=scale), "found")])
    drawn = draw_verdicts(pixels, judged.match, names, prediction=prediction, side=side)
    counts = _counts([judged])
    caption = ", ".join(f"{number} {kind}" for kind, number in counts.items()) or "nothing found"
    return Group(name, [truth, Panel(drawn, caption)])


def _label_panels(dataset: BaseDataset, judged: Judged, side: int) -> Iterator[Panel]:
    """Labels, prediction and wrong pixels of a segmentor."""
    prediction, pixels, truth = judged.prediction, judged.prediction.pixels(), judged.truth
    scale, colours = side / max(pixels.shape[:2]), class_colours(dataset.metainfo)
    if truth is not None:
        yield Panel(tint(pixels, truth, colours, scale=scale), "labelled")
    found = prediction.semantic
    yield Panel(tint(pixels, found, prediction.colours, scale=scale), "found")
    if truth is not None:
        is_wrong = (truth != found) & (truth < len(colours))
        errors = tint(pixels, np.where(is_wrong, 0, -1), [COLOURS[NOTHING]], scale=scale)
        share = pixel_accuracy(truth, found, len(colours))
        yield Panel(errors, f"wrong pixels: {100 * (1 - share):.1f} %")
