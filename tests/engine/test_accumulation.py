from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.engine.conftest import TINY
from tests.engine.toy_training import good_numbers, toy_config, write_numbers
from vitdet.checkpoints.files import read_checkpoint
from vitdet.datasets.shape_images import ensure_shape_images
from vitdet.engine import load_config, train
from vitdet.engine.accumulation import accumulate_gradients
from vitdet.engine.runner import Runner
from vitdet.errors import UserError


def test_a_classifier_learns_as_with_the_large_batch(tmp_path: Path) -> None:
    data = ensure_shape_images(tmp_path / "images", num_train=16, num_val=6, image_size=40)
    saved = []
    for batch_size, accumulated in ((8, 1), (2, 4)):
        options = {
            "train_cfg.max_epochs": 1,
            "train_dataloader.batch_size": batch_size,
            "model.backbone.drop_path_rate": 0.0,
        }
        config = load_config(TINY.with_name("tiny_classifier.py"), data=data, options=options)
        # Adam would make steps of full length of gradients that are rounding alone, as those of
        # attention's keys' biases are. The rate is the same for all batches of an update.
        config.optim_wrapper["optimizer"] = dict(type="torch.optim.SGD", lr=0.05)
        config.param_scheduler = None
        folder = tmp_path / f"run_{accumulated}"
        train(config, folder, accumulate=accumulated, device="cpu")
        saved.append(read_checkpoint(folder / "last.pth"))
    assert saved[1]["meta"]["iter"] == 4 * saved[0]["meta"]["iter"] == 8
    for name, expected in saved[0]["state_dict"].items():
        assert torch.allclose(saved[1]["state_dict"][name], expected, atol=1e-6), name


def test_with_plain_gradient_descent_the_weights_agree_to_rounding(tmp_path: Path) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(16))
    found = []
    for batch_size, accumulated in ((8, 1), (2, 4)):
        config = toy_config(
            data,
            tmp_path / f"run{accumulated}",
            model__with_norm=False,
            train_dataloader__batch_size=batch_size,
        )
        accumulate_gradients(config, accumulated)
        runner = Runner.from_cfg(config)
        runner.model.dropout.p = 0.0
        found.append(runner.train().state_dict())
    for name, expected in found[0].items():
        assert torch.allclose(found[1][name], expected, rtol=1e-6, atol=1e-7), name


def test_steps_go_on_meaning_updates() -> None:
    config = Config(
        dict(
            optim_wrapper={},
            train_cfg=dict(max_iters=100, val_interval=10),
            param_scheduler=[
                dict(by_epoch=False, begin=0, end=5),
                dict(by_epoch=False, begin=5, milestones=[60, 80]),
                dict(by_epoch=True, end=3),
            ],
            auto_scale_lr=dict(base_batch_size=16),
        )
    )
    for _ in range(2):  # as with the saved config of a run that is resumed
        accumulate_gradients(config, 4)
    assert config.optim_wrapper.accumulative_counts == 4
    assert config.train_cfg.to_dict() == dict(max_iters=400, val_interval=40)
    warm_up, steps, by_epoch = (one.to_dict() for one in config.param_scheduler)
    assert (warm_up["end"], steps["begin"], steps["milestones"]) == (20, 20, [240, 320])
    assert by_epoch == dict(by_epoch=True, end=3)
    assert config.auto_scale_lr.base_batch_size == 4  # images of a batch, 16 of an update
    accumulate_gradients(config, 1)  # the flag's default
    assert config.optim_wrapper.accumulative_counts == 4


@pytest.mark.parametrize(
    ("stated", "number", "message"),
    [(1, 0, "counts batches, at least 1"), (2, 3, "the config accumulates 2 already")],
)
def test_numbers_that_do_not_fit(stated: int, number: int, message: str) -> None:
    config = Config(dict(optim_wrapper=dict(accumulative_counts=stated), train_cfg={}))
    with pytest.raises(UserError, match=message):
        accumulate_gradients(config, number)
