"""Two processes take the steps of one with the same images in each step."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from tests.engine.conftest import TINY
from tests.faults.runs import LOSSES
from tests.processes import in_processes
from vitdet.datasets.shape_images import ensure_shape_images
from vitdet.datasets.shapes import generate_shapes
from vitdet.engine import load_config, train

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def classifier(root: Path) -> Config:
    images = ensure_shape_images(root / "images", num_train=16, num_val=6, image_size=40)
    config = load_config(TINY.with_name("tiny_classifier.py"), data=images)
    config.model.label_smoothing = 0.1
    config.model.backbone.drop_path_rate = 0.0
    return config


def detector(root: Path, name: str) -> Config:
    """Images of one size: those of a batch are padded to its largest."""
    folder = root / "shapes"
    if not folder.is_dir():
        generate_shapes(folder, num_train=16, num_val=2, image_size=64)
    return load_config(TINY.with_name(f"tiny_{name}.py"), data=folder)


def detr(root: Path) -> Config:
    config = detector(root, "detr")
    config.model.backbone.has_frozen_norm = True  # else statistics are those of a process's images
    return config


def yolos(root: Path) -> Config:
    return detector(root, "yolos")


def maskrcnn(root: Path) -> Config:
    """Nothing is learnt, so that the steps differ by what is drawn at random only."""
    config = detector(root, "maskrcnn")
    config.model.backbone.drop_path_rate = 0.0
    config.optim_wrapper.optimizer.lr = 0.0
    config.param_scheduler = []
    return config


def _train(recipe: Callable[[Path], Config], root: Path, folder: Path, epochs: int = 1) -> None:
    """Four images a step, however many processes there are."""
    num_processes = int(os.environ.get("WORLD_SIZE", 1))
    config = recipe(root)
    config.train_dataloader.update(batch_size=4 // num_processes, num_workers=0)
    config.train_dataloader.update(persistent_workers=False)
    config.train_cfg.update(max_epochs=epochs, val_interval=10)
    config.custom_hooks = [dict(type="RecordLosses")]
    launcher = "none" if num_processes == 1 else "pytorch"
    train(config, folder, seed=0, device="cpu", launcher=launcher)


def losses_of_processes(folder: Path, num_processes: int) -> np.ndarray:
    """Of each process and step."""
    names = [LOSSES, *(f"{rank}_{LOSSES}" for rank in range(1, num_processes))]
    lines = [(folder / name).read_text().splitlines() for name in names]
    return np.array([[float.fromhex(line.split()[1]) for line in one] for one in lines])


@pytest.mark.parametrize("recipe", [classifier, detr, yolos])
def test_losses_are_those_of_one_process(
    recipe: Callable[[Path], Config], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("data")
    recipe(root)  # generates the data, which processes would do at once
    for count in (1, 2):
        in_processes(count, _train, recipe, root, tmp_path / str(count))
    one, two = (losses_of_processes(tmp_path / str(count), count) for count in (1, 2))
    assert one.shape == (1, 4) and two.shape == (2, 4)
    assert (abs(two[0] - two[1]) > 0.01).all()  # each has images of its own
    np.testing.assert_allclose(two.mean(0), one[0], rtol=1e-5)


@pytest.mark.slow  # half a minute
def test_where_samples_are_drawn_at_random_losses_stay_near(tmp_path: Path) -> None:
    maskrcnn(tmp_path)
    for count in (1, 2):
        in_processes(count, _train, maskrcnn, tmp_path, tmp_path / str(count), 8)
    one, two = (losses_of_processes(tmp_path / str(count), count) for count in (1, 2))
    assert one.shape == (1, 32) and two.shape == (2, 32)
    np.testing.assert_allclose(two.mean(0), one[0], rtol=0.05)
    np.testing.assert_allclose(two.mean(), one.mean(), rtol=0.005)
