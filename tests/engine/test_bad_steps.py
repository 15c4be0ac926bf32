import math
from pathlib import Path

import pytest
import torch

from tests.engine.toy_training import good_numbers, log_of, toy_runner, write_numbers
from vitdet.engine.bad_batch import replay
from vitdet.engine.bad_steps import SkipBadSteps
from vitdet.engine.metrics_file import read_metrics
from vitdet.errors import UserError

NAN = "nan 1 1 1"


def _trained(data: Path, folder: Path, **changes) -> dict[str, torch.Tensor]:
    return toy_runner(data, folder, **changes).train().state_dict()


@pytest.mark.parametrize("clip", [None, dict(max_norm=0.1)])
def test_a_bad_step_is_named_and_leaves_no_trace(tmp_path: Path, clip: dict | None) -> None:
    good = good_numbers(6)
    with_bad = write_numbers(tmp_path / "bad", [*good[:2], NAN, good[0], *good[2:]])
    without = write_numbers(tmp_path / "good", good)
    options = {} if clip is None else {"optim_wrapper__clip_grad": clip}
    # Dropout would draw other numbers in the steps after the bad one.
    options["model__with_norm"] = True
    torch.manual_seed(0)
    runner = toy_runner(with_bad, tmp_path / "run", **options)
    runner.model.dropout.p = 0.0
    weights = runner.train().state_dict()
    other = toy_runner(without, tmp_path / "other", **options)
    other.model.dropout.p = 0.0
    for name, expected in other.train().state_dict().items():
        assert torch.equal(weights[name], expected), name
    told = log_of(runner)
    assert "step 2: loss_second is nan, on " in told
    assert str(with_bad / "02.txt") in told and str(with_bad / "03.txt") in told
    assert "the step is left out (1 in a row, the run ends at 5; 1 in all)" in told
    entries = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert ["loss" in one for one in entries] == [True, False, True, True]


def test_the_whole_update_of_several_batches_is_left_out(tmp_path: Path) -> None:
    good = good_numbers(4)
    data = write_numbers(tmp_path / "data", [*good[:2], NAN, good[0], *good])
    options = {"optim_wrapper__accumulative_counts": 2, "model__with_norm": False}
    runner = toy_runner(data, tmp_path / "run", **options)
    runner.model.dropout.p = 0.0
    other = toy_runner(write_numbers(tmp_path / "rest", good), tmp_path / "other", **options)
    other.model.dropout.p = 0.0
    weights = runner.train().state_dict()
    for name, expected in other.train().state_dict().items():
        assert torch.equal(weights[name], expected), name


def test_a_gradient_that_is_not_finite_counts_where_it_is_clipped(tmp_path: Path) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(4))
    runner = toy_runner(data, tmp_path / "run", optim_wrapper__clip_grad=dict(max_norm=1.0))
    weight = runner.model.linear.weight
    before = weight.detach().clone()
    weight.register_hook(lambda gradient: gradient * math.nan)
    runner.train()
    assert torch.equal(weight, before)
    assert "step 2: the norm of the gradients is not finite, on " in log_of(runner)


def test_some_in_a_row_end_the_run_and_what_was_kept_has_the_same_loss(tmp_path: Path) -> None:
    good = good_numbers(2)
    data = write_numbers(tmp_path / "data", [*good, NAN, good[0], "inf 0 1 2", good[1]])
    hook = dict(type="vitdet.engine.bad_steps.SkipBadSteps", max_in_a_row=2)
    runner = toy_runner(data, tmp_path / "run", default_hooks=dict(bad_steps=hook))
    with pytest.raises(UserError, match=r"step 3 .* 2 in a row: loss_second is (inf|nan), on"):
        runner.train()
    assert {path.name for path in (tmp_path / "run/bad_batch").iterdir()} == {
        "weights.pth",
        "batch_0.pth",
    }
    with pytest.raises(UserError, match="pass trust=True"):
        replay(tmp_path / "run/bad_batch")
    terms = replay(tmp_path / "run/bad_batch", trust=True, trusted_modules=("tests",))
    assert not math.isfinite(terms["loss_second"])
    assert terms["loss_first"] == pytest.approx(_first_term(runner), abs=1e-7)


def _first_term(runner) -> float:
    """The term that is finite, as the last step logged it."""
    return runner.message_hub.log_scalars["train/loss_first"].current()


def test_good_batches_whose_updates_are_left_out_do_not_start_the_count_anew(
    tmp_path: Path,
) -> None:
    good = good_numbers(2)
    data = write_numbers(tmp_path / "data", [*good, NAN, good[0]] * 5)
    runner = toy_runner(data, tmp_path / "run", optim_wrapper__accumulative_counts=2)
    with pytest.raises(UserError, match=r"step 10 .* 5 in a row: "):
        runner.train()


def test_weights_that_are_not_finite_are_said(tmp_path: Path) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(12))
    runner = toy_runner(data, tmp_path / "run")
    runner.model.linear.bias.data[1] = math.nan
    with pytest.raises(UserError, match="the weights are no longer finite, an earlier update"):
        runner.train()
    assert next(hook for hook in runner.hooks if isinstance(hook, SkipBadSteps)).total == 5
