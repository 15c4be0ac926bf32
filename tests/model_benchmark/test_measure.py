"""What is measured is what was asked for; how long it takes is nobody's test."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests import tiny_mask_rcnn
from tests.serving.constant_model import save_constant_model
from vitdet.inference import Prediction, Predictor
from vitdet.model_benchmark import measure as measuring
from vitdet.model_benchmark.measure import Plan, measure
from vitdet.model_benchmark.photos import photos_of
from vitdet.model_benchmark.timing import Timing


class Counting(Predictor):
    """Keeps what it is called with, and finds as many things as there are rows."""

    class_names = ("ant",)

    def __new__(cls) -> "Counting":
        return object.__new__(cls)

    def __init__(self) -> None:
        self.calls: list[list[np.ndarray]] = []

    def _predict(self, batch):
        self.calls.append(list(batch))
        return [
            Prediction(
                np.zeros((len(image), 4), np.float32), np.ones(len(image)),
                np.zeros(len(image), int), self.class_names, image.shape[:2],
            )
            for image in batch
        ]  # fmt: skip


def test_percentiles_and_throughput() -> None:
    seconds = tuple(np.random.default_rng(0).random(300))
    timing = Timing("eager", (64, 48), 4, seconds, 2.0, 100.4, 1.25)
    ordered = sorted(seconds)
    for percent, place in ((50, 149.5), (90, 269.1), (99, 296.01)):
        low, share = int(place), place % 1
        expected = ordered[low] * (1 - share) + ordered[low + 1] * share
        assert timing.milliseconds(percent) == pytest.approx(1000 * expected)
    assert timing.images_per_second == pytest.approx(4 * 300 / sum(seconds))
    row = timing.row()
    assert (row["size"], row["memory MiB"], row["calls"]) == ("64x48", 100, 300)


def test_every_call_is_a_batch_and_photos_take_turns() -> None:
    predictor = Counting()
    photos = [np.full((5, 7, 3), value, np.uint8) for value in range(3)]
    timing = measuring._time(predictor, photos, "eager", (7, 5), 2, 1e-9)
    assert len(timing.seconds) == 10  # the fewest
    assert len(predictor.calls) == 12  # two to warm up
    assert all(len(call) == 2 for call in predictor.calls)
    assert {int(image[0, 0, 0]) for call in predictor.calls for image in call} == {0, 1, 2}
    assert timing.num_objects == 5
    assert timing.memory_mib > 10


def test_a_model_of_torch_at_several_sizes(tmp_path, monkeypatch) -> None:
    file = str(tiny_mask_rcnn.save_checkpoint(tmp_path / "last.pth"))
    seen = []
    forward = torch.nn.Conv2d.forward

    def look(self, x):
        if x.shape[1] == 3:
            seen.append((x.shape[0], *x.shape[2:]))
        return forward(self, x)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", look)
    monkeypatch.setattr(measuring, "_FEWEST", 1)
    sizes = [(96, 64), (160, 128)]
    plan = Plan(dict.fromkeys(sizes, file), [1, 2], [], 1e-9, torch.get_num_threads(), "cpu")
    timings = measure("eager", plan)
    assert [(one.size, one.batch) for one in timings] == [
        (size, batch) for size in sizes for batch in (1, 2)
    ]
    assert set(seen) == {(b, height, width) for width, height in sizes for b in (1, 2)}
    assert all(one.num_objects == 10 for one in timings)


def test_an_exported_model(tmp_path) -> None:
    file = str(save_constant_model(tmp_path / "model.onnx"))
    timings = measure("onnx", Plan({(64, 64): file}, [1, 3], [], 1e-9, 1, "cpu"))
    assert [one.batch for one in timings] == [1, 3]
    assert all(one.num_objects == 2 and one.runtime == "onnx" for one in timings)


def test_photos_have_the_size(tmp_path) -> None:
    Image.new("RGB", (50, 20), (250, 120, 10)).save(tmp_path / "photo.png")
    (photo,) = photos_of([str(tmp_path / "photo.png")], (64, 48))
    assert photo.shape == (48, 64, 3) and (photo == (250, 120, 10)).all()
    painted = photos_of([], (64, 48))
    assert {one.shape for one in painted} == {(48, 64, 3)} and len(painted) > 1
    assert all(one.std() > 5 for one in painted)


def test_the_size_of_a_recipe_may_be_changed(tmp_path) -> None:
    predictor = Predictor(tiny_mask_rcnn.save_checkpoint(tmp_path / "last.pth"), "cpu")
    image = np.zeros((200, 300, 3), np.uint8)
    assert predictor.scale == (96, 64)
    before = predictor(image)[0].boxes
    predictor.scale = (128, 192)
    assert predictor.scale == (192, 128)
    assert not np.array_equal(predictor(image)[0].boxes, before)
