"""A whole run, small: train, resume, interrupt, test, predict."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.engine.conftest import TINY
from vitdet import Predictor, engine
from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine import load_config, train
from vitdet.engine.metrics_file import read_metrics
from vitdet.engine.progress import ProgressHook
from vitdet.engine.runner import Runner


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of two epochs."""
    return train(load_config(TINY, data=data), tmp_path_factory.mktemp("run"), device="cpu")


def test_a_run_leaves_config_log_checkpoints_and_a_picture(run: Path) -> None:
    assert {"last.pth", "best.pth", "tiny_maskrcnn.py", "predictions.png", "report.html"} <= {
        path.name for path in run.iterdir()
    }
    assert list(run.glob("*/*.log"))
    assert not list(run.glob(".*tmp"))
    assert Image.open(run / "predictions.png").width > 600


def test_the_report_is_about_the_checkpoint_that_is_the_best(run: Path) -> None:
    epoch = read_checkpoint(run / "best.pth")["meta"]["epoch"]
    page = (run / "report.html").read_text()
    assert f"best.pth, after epoch {epoch}, on 2 images" in page
    assert "max_epochs=2" in page


def test_a_report_that_fails_costs_a_line_and_not_the_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_, **__) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("vitdet.engine.report_hook.write_report", fail)
    options = {"train_cfg.max_epochs": 1}
    folder = train(load_config(TINY, data=data, options=options), tmp_path, device="cpu")
    assert (folder / "last.pth").is_file()
    log = next(folder.glob("*/*.log")).read_text()
    assert "no report was written (OSError: no space left); all else is complete" in log


def test_checkpoints_carry_config_and_classes(run: Path, classes: tuple[str, ...]) -> None:
    for name in ("last.pth", "best.pth"):
        meta = read_checkpoint(run / name)["meta"]
        assert tuple(meta["dataset_meta"]["classes"]) == classes
        assert f"num_classes={len(classes)}" in meta["cfg"]
    assert "optimizer" in read_checkpoint(run / "last.pth")
    assert "optimizer" not in read_checkpoint(run / "best.pth")


def test_log_file_has_plain_loss_lines_and_ap_per_class(
    run: Path, classes: tuple[str, ...]
) -> None:
    log = next(run.glob("*/*.log")).read_text()
    assert "loss_mask" in log
    assert "\x1b[" not in log
    assert all(name in log for name in classes)
    assert "mask AP50" in log


def test_tested_best_checkpoint_has_the_score_it_was_saved_with(
    run: Path, data: Path, tmp_path: Path
) -> None:
    metrics = engine.test(
        load_config(TINY, data=data),
        run / "best.pth",
        tmp_path,
        out=tmp_path / "results.json",
        show_dir=tmp_path / "drawn",
        device="cpu",
    )
    assert len([key for key in metrics if key.startswith("coco/bbox")]) == 12
    assert len([key for key in metrics if key.startswith("coco/segm")]) == 12
    assert metrics["coco/bbox_mAP"] == read_checkpoint(run / "best.pth")["meta"]["best_score"]
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 2
    assert f"Test of {run / 'best.pth'}, on 2 images" in (tmp_path / "report.html").read_text()
    entries = json.loads((tmp_path / "results.segm.json").read_text())
    assert {"image_id", "category_id", "score", "segmentation"} <= entries[0].keys()


def test_predictor_agrees_with_the_tested_model(run: Path, data: Path, tmp_path: Path) -> None:
    config = load_config(TINY, data=data)
    engine.test(config, run / "best.pth", tmp_path, out=tmp_path / "r", device="cpu")
    entries = [e for e in json.loads((tmp_path / "r.bbox.json").read_text()) if e["image_id"] == 1]
    (prediction,) = Predictor(run / "best.pth", "cpu")(data / "images/val/00001.jpg")
    found = prediction.to_coco(image_id=1)
    assert len(found) == len(entries) > 0
    for ours, theirs in zip(found, entries, strict=True):
        assert ours["category_id"] == theirs["category_id"]
        assert ours["bbox"] == pytest.approx(theirs["bbox"], abs=1e-3)


def test_resume_trains_the_remaining_epochs_only(run: Path, data: Path) -> None:
    options = {"train_cfg.max_epochs": 3}
    weights = read_checkpoint(run / "last.pth")["state_dict"]
    folder = train(load_config(TINY, data=data, options=options), run, resume=True, device="cpu")
    last = read_checkpoint(folder / "last.pth")
    assert last["meta"]["epoch"] == 3
    assert last["meta"]["iter"] == 6  # 4 images, 2 a step, 3 epochs
    changed = [
        key for key, value in weights.items() if not torch.equal(value, last["state_dict"][key])
    ]
    assert changed


def test_interrupt_saves_and_says_how_to_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(self: ProgressHook, runner: Runner, batch_idx: int, **_) -> None:
        if runner.iter == 0:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ProgressHook, "after_train_iter", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        train(load_config(TINY, data=data), tmp_path, device="cpu")
    assert read_checkpoint(tmp_path / "last.pth")["meta"]["iter"] == 2  # it was seen after the next
    assert [one["step"] for one in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]
    advice = f"train.py {tmp_path / TINY.name} --work-dir {tmp_path} --resume"
    assert advice in next(tmp_path.glob("*/*.log")).read_text()
    monkeypatch.undo()
    train(load_config(tmp_path / TINY.name), tmp_path, resume=True, device="cpu")
    meta = read_checkpoint(tmp_path / "last.pth")["meta"]
    assert (meta["epoch"], meta["iter"]) == (2, 4)


def test_val_and_test_that_prepare_images_differently_are_pointed_out(
    run: Path, data: Path, tmp_path: Path
) -> None:
    options = {
        "train_cfg.max_epochs": 1,
        "val_dataloader.dataset.pipeline.1.scale": (32, 32),
    }
    folder = train(load_config(TINY, data=data, options=options), tmp_path, device="cpu")
    assert "prepare images differently" in next(folder.glob("*/*.log")).read_text()
    assert "prepare images differently" not in next(run.glob("*/*.log")).read_text()


def test_amp_on_a_cpu_is_bfloat16(data: Path, tmp_path: Path) -> None:
    options = {"train_cfg.max_epochs": 1}
    folder = train(load_config(TINY, data=data, options=options), tmp_path, amp=True, device="cpu")
    assert "bfloat16" in read_checkpoint(folder / "last.pth")["meta"]["cfg"]


@pytest.mark.parametrize(
    "script", ["dist_train.sh", pytest.param("dist_test.sh", marks=pytest.mark.slow)]
)
def test_two_processes_without_a_gpu(script: str, run: Path, data: Path, tmp_path: Path) -> None:
    checkpoint = [str(run / "best.pth")] if script == "dist_test.sh" else []
    assert "box AP" in _in_two_processes(script, TINY, *checkpoint, data=data, folder=tmp_path)
    if script == "dist_train.sh":
        meta = read_checkpoint(tmp_path / "last.pth")["meta"]
        assert meta["iter"] == 2  # 4 images, 2 processes of 2, 2 epochs


@pytest.mark.slow
def test_a_segmentor_with_sync_bn_in_two_processes_without_a_gpu(
    data: Path, tmp_path: Path
) -> None:
    options = ("--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2")
    recipe = TINY.with_name("tiny_upernet.py")
    told = _in_two_processes("dist_train.sh", recipe, data=data, folder=tmp_path, flags=options)
    assert "2 images: aAcc" in told  # each process evaluated one of them
    assert read_checkpoint(tmp_path / "last.pth")["meta"]["iter"] == 2


def _in_two_processes(
    script: str, *arguments: str | Path, data: Path, folder: Path, flags: Sequence[str] = ()
) -> str:
    """What the script printed, run with two processes on the CPU."""
    tools = Path(__file__).parents[2] / "tools"
    command = [tools / script, *arguments, "2", "--data", data, "--work-dir", folder]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*map(str, command), "--device", "cpu", *flags],
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
