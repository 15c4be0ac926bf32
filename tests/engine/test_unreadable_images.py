from pathlib import Path

import pytest

from tests.engine.toy_training import good_numbers, log_of, toy_runner, write_numbers
from vitdet.datasets.guarded_load import LIST, unreadable_images
from vitdet.errors import UserError


@pytest.mark.parametrize("num_workers", [0, 2])
def test_another_image_takes_the_place_and_the_file_is_listed(
    tmp_path: Path, num_workers: int
) -> None:
    data = write_numbers(tmp_path / "data", [*good_numbers(7), "no number"])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LIST).write_text('{"image": "of an earlier run", "reason": "x"}\n')
    runner = toy_runner(
        data,
        tmp_path / "run",
        train_dataloader__num_workers=num_workers,
        train_cfg__max_epochs=3,
    )
    runner.train()
    assert runner.iter == 12
    reason = "could not convert string to float: 'no'"
    assert unreadable_images(tmp_path / "run") == {str(data / "07.txt"): reason}
    told = log_of(runner)
    assert told.count("07.txt cannot be read, another image takes its place: could not") == 1
    assert f"1 images could not be read, others took their place: {data / '07.txt'}" in told


@pytest.mark.parametrize("num_workers", [0, 1])
def test_more_than_the_limit_end_the_run_in_one_line(tmp_path: Path, num_workers: int) -> None:
    data = write_numbers(tmp_path / "data", ["?"] * 8)
    runner = toy_runner(data, tmp_path / "run", train_dataloader__num_workers=num_workers)
    with pytest.raises(UserError) as caught:
        runner.train()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("2 images of the training data cannot be read, more than the limit")
    assert str(tmp_path / "run" / LIST) in message


def test_images_of_several_processes_are_counted_together(tmp_path: Path) -> None:
    data = write_numbers(tmp_path / "data", [*good_numbers(6), "?", "??"])
    hook = dict(type="vitdet.engine.unreadable_images.SkipUnreadableImages", limit=1)
    runner = toy_runner(
        data,
        tmp_path / "run",
        train_dataloader__num_workers=2,
        train_cfg__max_epochs=20,
        default_hooks=dict(unreadable_images=hook),
    )
    with pytest.raises(UserError, match="2 images of the training data"):
        runner.train()


def test_evaluation_data_are_not_guarded(tmp_path: Path) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(4))
    broken = write_numbers(tmp_path / "broken", ["?"])
    runner = toy_runner(data, tmp_path / "run")
    loader = dict(runner.cfg.train_dataloader.to_dict(), batch_size=1)
    loader["dataset"].update(data_root=str(broken))
    runner = toy_runner(
        data,
        tmp_path / "run2",
        val_dataloader=loader,
        val_cfg={},
        val_evaluator=dict(type="tests.engine.toy_training.NumBatches"),
    )
    with pytest.raises(ValueError, match="could not convert"):
        runner.train()
