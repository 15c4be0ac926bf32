"""The page of a run: complete, in itself, and true to what was evaluated."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from vitdet.datasets import CocoDataset
from vitdet.datasets.guarded_load import LIST
from vitdet.datasets.shapes import generate_shapes
from vitdet.evaluation import CocoMetric, IoUMetric
from vitdet.evaluation.rle import segmentation_to_rle
from vitdet.report import write_report
from vitdet.report.run_report import duration

_VOID = {"meta", "img", "path", "rect", "circle", "polyline", "br"}


class Reader(HTMLParser):
    """Text and attributes of a page; fails where an element is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.pictures: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs)["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CocoDataset:
    """Six images; one class has a name that is HTML."""
    folder = generate_shapes(tmp_path_factory.mktemp("data"), num_train=1, num_val=6, image_size=64)
    content = json.loads((folder / "val.json").read_text())
    content["categories"][0]["name"] = "<b>ball"
    (folder / "val.json").write_text(json.dumps(content))
    return CocoDataset(
        data_root=str(folder),
        ann_file="val.json",
        data_prefix={"img": "images/val"},
        test_mode=True,
        pipeline=[],
    )


def evaluated(dataset: CocoDataset, *, metric: tuple[str, ...]) -> tuple[CocoMetric, dict]:
    """A model that finds all in even images, with classes shifted in odd ones, and that's all."""
    coco = CocoMetric(dataset.ann_file, metric=metric)
    coco.dataset_meta = dataset.metainfo
    num_classes = len(dataset.metainfo["classes"])
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        ones = info["instances"] if i != 4 else []
        size = info["height"], info["width"]
        predicted = {
            "bboxes": torch.tensor([one["bbox"] for one in ones]).float().reshape(-1, 4),
            "scores": torch.linspace(0.9, 0.25, len(ones)),
            "labels": torch.tensor(
                [(one["bbox_label"] + i % 2) % num_classes for one in ones]
            ).long(),
            "masks": [segmentation_to_rle(one["mask"], *size) for one in ones],
        }
        coco.process(None, [{"img_id": info["img_id"], "pred_instances": predicted}])
    metrics = coco.compute_metrics(coco.results)
    return coco, {f"coco/{key}": value for key, value in metrics.items()}


def report(folder: Path, dataset, record, metrics) -> tuple[Path, Reader]:
    config = Config({"train_cfg": {"max_epochs": 2}}, cfg_text="x", filename="recipe.py")
    (folder / "recipe.py").write_text("lr = 0.1  # a < b")
    path = write_report(
        folder,
        config=config,
        dataset=dataset,
        metrics=metrics,
        record=record,
        evaluated="best.pth, after epoch 2",
        device="cpu",
        seconds=461,
    )
    return path, Reader(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("metric", [("bbox",), ("bbox", "segm")])
def test_report_of_a_detector(dataset: CocoDataset, tmp_path: Path, metric) -> None:
    logs = tmp_path / "20260101_000000" / "vis_data"
    logs.mkdir(parents=True)
    entries = [{"loss": 3.0, "loss_a": 2.0, "loss_b": 1.0, "lr": 0.1, "step": s} for s in (1, 2)]
    scores = [{"coco/bbox_mAP": 0.1 * s, "step": s} for s in (1, 2)]
    (logs / "scalars.json").write_text("\n".join(map(json.dumps, entries + scores)))
    coco, metrics = evaluated(dataset, metric=metric)
    path, page = report(tmp_path, dataset, coco.record, metrics)
    text = " ".join(page.text)
    for part in (
        *("best.pth, after epoch 2, on 6 images", "7 min 41 s", "lr = 0.1  # a < b"),
        *("learning rate", "loss_a", "box AP", f"{metrics['coco/bbox_mAP']:.3f}"),
        *("Best", "Worst", "Most confidently wrong", "<b>ball", "is labelled"),
    ):
        assert part in text, part
    assert ("mask AP50" in text) == ("segm" in metric)
    assert len(page.pictures) >= 8
    for source in page.pictures:
        kind, data = source.split(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 480
    assert not re.search(r"https?:|src=\"(?!data:)|href=|<script", path.read_text())
    assert path.stat().st_size < 2e6


def test_images_that_could_not_be_read_are_listed(dataset: CocoDataset, tmp_path: Path) -> None:
    coco, metrics = evaluated(dataset, metric=("bbox",))
    _, page = report(tmp_path, dataset, coco.record, metrics)
    assert "Images that could not be read" not in page.text
    line = json.dumps({"image": "a<b>.jpg", "reason": "cut off"})
    (tmp_path / LIST).write_text(f'{line}\n{line}\n{{"image": "torn')
    _, page = report(tmp_path, dataset, coco.record, metrics)
    assert "Images that could not be read" in page.text
    assert [page.text.count(part) for part in ("a<b>.jpg", "cut off")] == [1, 1]


def test_numbers_of_the_confusion_table(dataset: CocoDataset, tmp_path: Path) -> None:
    coco, metrics = evaluated(dataset, metric=("bbox",))
    path, _ = report(tmp_path, dataset, coco.record, metrics)
    matrix = re.search(r'<table class="matrix">.*?</table>', path.read_text())[0]
    rows = [
        [int(number or 0) for number in re.findall(r"<td[^>]*>(\d*)</td>", row)]
        for row in matrix.split("<tbody>")[1].split("</tr>")[:-1]
    ]
    table = np.array(rows)  # true x found, with what is not there and what was missed
    labelled = coco.record.scores.class_instances.values()
    shown = np.concatenate([one.labels for one in coco.record.images])
    num_classes = len(dataset.metainfo["classes"])
    assert table[:-1].sum(1).tolist() == list(labelled)
    assert table[:, :-1].sum(0).tolist() == np.bincount(shown, minlength=num_classes).tolist()
    assert table[:-1, -1].sum() > 0


def test_report_of_a_segmentor_and_of_what_keeps_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    metric = IoUMetric()
    metric.dataset_meta = {"classes": ("road", "sky", "never")}
    truth = torch.tensor(rng.integers(2, size=(1, 8, 8)))
    sample = {"pred_sem_seg": {"data": 1 - truth}, "gt_sem_seg": {"data": truth}}
    metric.process(None, [sample])
    metrics = metric.compute_metrics(metric.results)
    Image.new("RGB", (1400, 700)).save(tmp_path / "predictions.png")
    _, page = report(tmp_path, [0], metric.record, metrics)
    text = " ".join(page.text)
    assert "road taken for sky: 100 % of it" in text
    assert "sky taken for road: 100 % of it" in text
    assert len(page.pictures) == 1
    _, page = report(tmp_path, [0], None, {"accuracy/top1": 82.5})
    assert "82.50" in page.text
    assert "top-1" in page.text


def test_duration() -> None:
    assert [duration(s) for s in (3.4, 60, 461, 3599.7, 7325)] == [
        *("3 s", "1 min 0 s", "7 min 41 s", "1 h 0 min", "2 h 2 min")
    ]
