"""`report.html` of a run."""

import platform
from collections.abc import Mapping
from datetime import datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from PIL import Image

import vitdet
from vitdet.datasets.guarded_load import unreadable_images
from vitdet.evaluation.coco_record import CocoRecord
from vitdet.evaluation.iou_metric import IoURecord
from vitdet.report.curves import curves_section, main_scores
from vitdet.report.detection import detection_sections
from vitdet.report.examples import examples_section
from vitdet.report.scalars import read_scalars
from vitdet.report.semantic import semantic_sections
from vitdet.visualization.page import decimal, page, picture, section, table, tiles

REPORT = "report.html"
_PACKAGES = ("torch", "torchvision", "mmengine", "mmcv-lite", "mmdet", "mmsegmentation", "numpy")


def write_report(
    folder: Path,
    *,
    config: Config,
    dataset: BaseDataset,
    metrics: Mapping[str, float],
    record: CocoRecord | IoURecord | None,
    evaluated: str,
    device: str,
    seconds: float,
    findings: str = "",
) -> Path:
    """Write `report.html` into the folder of a run, one file with all its pictures, and return it.

    Args:
        folder: of the run; its log, its config and its `predictions.png` are read, where it has
            them.
        config: completed.
        dataset: the images that were evaluated.
        metrics: figures of that evaluation, by the names they are logged under.
        record: what the metric kept of it; None where it keeps nothing, and only curves are shown.
        evaluated: says which checkpoint that was.
        device: that it ran on.
        seconds: that it took.
        findings: section about what the check of the data found.
    """
    title = f"{Path(config.filename).stem}: {folder.name}"
    made = datetime.now().strftime("%Y-%m-%d %H:%M")
    facts = f"{evaluated}, on {len(dataset)} images. {made}, {duration(seconds)}."
    parts = [f'<h1>{escape(title)}</h1><p class="soft">{escape(facts)}</p>']
    scores = main_scores(dict(metrics))
    if scores:
        parts.append(
            tiles((name, decimal(value, 3 if "AP" in name else 2)) for name, value in scores)
        )
    parts.append(curves_section(read_scalars(folder), by_epoch=_is_by_epoch(config)))
    if isinstance(record, CocoRecord):
        sections, matches = detection_sections(record)
        parts += [*sections, examples_section(matches, dataset)]
    else:
        parts += semantic_sections(record) if record is not None else []
        parts.append(_sample_sheet(folder))
    parts.append(findings)
    parts.append(_unreadable(folder))
    parts.append(_run(config, folder, device=device, seconds=seconds))
    target = folder / REPORT
    target.write_text(page(title, parts), encoding="utf-8")
    return target


def duration(seconds: float) -> str:
    """A span of time in words, such as 7 min 41 s."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _is_by_epoch(config: Config) -> bool:
    return "max_epochs" in (config.get("train_cfg") or {})


def _sample_sheet(folder: Path) -> str:
    """The picture of predictions that a training leaves, where there is one."""
    path = folder / "predictions.png"
    if not path.is_file():
        return ""
    with Image.open(path) as image:
        return section("Images", picture(image, "predictions", max_size=(1080, 3000)))


def _unreadable(folder: Path) -> str:
    """The images that the training could not read, where there are any."""
    rows = [(escape(image), escape(reason)) for image, reason in unreadable_images(folder).items()]
    return section("Images that could not be read", table(("file", "reason"), rows)) if rows else ""


def _run(config: Config, folder: Path, *, device: str, seconds: float) -> str:
    rows = [("folder", str(folder.resolve())), ("duration", duration(seconds))]
    rows.append(("device", _name_of(device)))
    rows.append(("vitdet", vitdet.__version__))
    rows.append(("Python", f"{platform.python_version()} on {platform.system()}"))
    for package in _PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:  # an own build, under another name
            continue
    saved = folder / Path(config.filename).name
    text = saved.read_text() if saved.is_file() else config.pretty_text
    return section(
        "The run",
        table(("", ""), [(escape(name), escape(value)) for name, value in rows]),
        f"<details><summary>config</summary><pre>{escape(text)}</pre></details>",
    )


def _name_of(device: str) -> str:
    if torch.device(device).type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return f"{device}, {torch.get_num_threads()} threads, {platform.machine()}"
