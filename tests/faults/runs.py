"""Small trainings to be killed: each draws at random wherever a real one does."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from vitdet.checkpoints.files import read_checkpoint
from vitdet.datasets.shape_images import ensure_shape_images
from vitdet.datasets.shapes import generate_shapes
from vitdet.engine import load_config, train

RECIPES = Path(__file__).parents[1] / "engine"
LOSSES = "losses.txt"
STEPS = 12
PROCESSES = {"epochs_two_processes": 2, "steps_two_processes": 2}


@HOOKS.register_module()
class RecordLosses(Hook):
    """Appends `step loss` to a file of the run, the loss as an exact hexadecimal number."""

    priority = "VERY_HIGH"  # before anything of the step can be saved

    def after_train_iter(self, runner: Any, outputs: dict, **_: Any) -> None:
        name = LOSSES if runner.rank == 0 else f"{runner.rank}_{LOSSES}"
        with Path(runner.work_dir, name).open("a") as file:
            file.write(f"{runner.iter} {float(outputs['loss']).hex()}\n")


def classifier(data: Path) -> Config:
    """Three epochs of four steps: dropped paths, crops by workers, averages, evaluations."""
    config = load_config(RECIPES / "tiny_classifier.py", data=_images(data))
    config.model.backbone.drop_path_rate = 0.5
    config.train_cfg.update(max_epochs=STEPS // 4, val_interval=2)
    config.train_dataloader.update(batch_size=8, num_workers=2, persistent_workers=True)
    config.train_dataloader.pop("pin_memory", None)
    return _completed(config)


def accumulated(data: Path) -> Config:
    """The classifier with gradients of three steps each, over the ends of epochs."""
    config = classifier(data)
    config.optim_wrapper.update(accumulative_counts=3)
    return config


def steps(data: Path) -> Config:
    """The classifier by steps, the learning rate changing with each."""
    config = classifier(data)
    config.train_cfg = dict(by_epoch=False, max_iters=STEPS, val_interval=5)
    config.train_dataloader.sampler = dict(type="InfiniteSampler", shuffle=True)
    config.param_scheduler = [
        dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=STEPS)
    ]
    return config


def detector(data: Path) -> Config:
    """The Mask R-CNN of the quick start, tiny: batches by aspect ratio, boxes sampled at random."""
    folder = data / "shapes"
    if not folder.is_dir():
        generate_shapes(folder, num_train=8, num_val=2, image_size=64)
    config = load_config(RECIPES / "tiny_maskrcnn.py", data=folder)
    config.train_cfg.update(max_epochs=3, val_interval=2)
    config.train_dataloader.update(batch_size=2, num_workers=2, persistent_workers=True)
    return _completed(config)


KINDS: dict[str, Callable[[Path], Config]] = {
    "epochs": classifier,
    "steps": steps,
    "accumulated": accumulated,
    "epochs_two_processes": classifier,
    "steps_two_processes": steps,
    "detector": detector,
}


def train_kind(kind: str, data: Path, folder: Path, *, resume: bool = False) -> None:
    """Train one of `KINDS` in this process, which is one of several if the environment says so."""
    torch.set_num_threads(1)
    launcher = "pytorch" if "WORLD_SIZE" in os.environ else "none"
    train(KINDS[kind](data), folder, resume=resume, device="cpu", launcher=launcher)


def losses_of(folder: Path) -> dict[int, set[str]]:
    """Step -> all losses that the runs in `folder` have seen there; torn lines are left out."""
    found: dict[int, set[str]] = {}
    for line in (folder / LOSSES).read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            step, loss = line.split()
            found.setdefault(int(step), set()).add(loss)
    return found


def differences(folder: Path, reference: Path) -> list[str]:
    """What of losses, weights, averages, optimizer and schedulers is not equal to the last bit."""
    ours, theirs = (read_checkpoint(path / "last.pth") for path in (folder, reference))
    for checkpoint in (ours, theirs):
        checkpoint["random"] = checkpoint["position"]["random"]
    names = ("state_dict", "ema_state_dict", "optimizer", "param_schedulers", "random")
    found = [name for name in names if not _equal(ours.get(name), theirs.get(name))]
    if losses_of(folder) != losses_of(reference):
        found.append("losses")
    return found


def _images(data: Path) -> Path:
    return ensure_shape_images(data / "shape_images", num_train=30, num_val=6, image_size=40)


def _completed(config: Config) -> Config:
    config.randomness = dict(seed=3)
    config.custom_hooks = [dict(type="EMAHook"), dict(type="RecordLosses")]
    config.default_hooks["last_and_best"] = dict(
        type="vitdet.SaveCheckpoints", interval=3, max_share=1.0
    )
    return config


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(_equal(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(_equal, ours, theirs))
    return ours == theirs
