"""Each mistake a user can make ends in one line on stderr and exit code 2."""

import json
import logging
from pathlib import Path

import pytest
import torch

from vitdet.cli import main
from vitdet.datasets.shapes import generate_shapes

TINY = str(Path(__file__).parent / "engine" / "tiny_maskrcnn.py")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # The log handlers of earlier tests write to streams that pytest has closed.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    return generate_shapes(tmp_path / "data", num_train=2, num_val=1, image_size=64)


def error_of(capsys: pytest.CaptureFixture[str], *command: str | Path) -> str:
    """The one line that the command ends in."""
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in command])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith(f"vitdet {command[0]}: error: ")]
    assert len(errors) == 1
    assert not any("Traceback" in line for line in lines)
    return errors[0]


def test_misspelt_config(data: Path, capsys) -> None:
    assert "did you mean swin_maskrcnn_coco" in error_of(capsys, "train", "swin_maskrcn_coco.py")


@pytest.mark.parametrize("option", ["modle.backbone.arch=small", "model.backbone.archh=small"])
def test_option_that_nothing_reads(option: str, data: Path, capsys) -> None:
    message = error_of(capsys, "train", TINY, "--data", data, "--cfg-options", option)
    assert "did you mean" in message


def test_data_folder_without_annotations(data: Path, capsys) -> None:
    (data / "train.json").unlink()
    assert "no images to train on, only those of val" in error_of(
        capsys, "train", TINY, "--data", data
    )


def test_annotations_that_are_not_json(data: Path, capsys) -> None:
    text = (data / "val.json").read_text()
    (data / "val.json").write_text(text.replace('"annotations": [', '"annotations": [,', 1))
    message = error_of(capsys, "train", TINY, "--data", data)
    assert "val.json is not JSON" in message and "column" in message


def test_json_that_is_not_coco(data: Path, capsys) -> None:
    content = json.loads((data / "train.json").read_text())
    del content["categories"]
    (data / "train.json").write_text(json.dumps(content))
    message = error_of(capsys, "train", TINY, "--data", data)
    assert "not a COCO annotation file" in message and "'categories'" in message


def test_missing_images_are_counted_and_named(data: Path, capsys) -> None:
    (data / "images/train/00002.jpg").unlink()
    message = error_of(capsys, "train", TINY, "--data", data)
    assert "1 of 2" in message and "00002.jpg" in message


def test_work_dir_of_another_run(data: Path, capsys) -> None:
    Path("mine").mkdir()
    Path("mine/last.pth").write_bytes(b"precious")
    message = error_of(capsys, "train", TINY, "--data", data, "--work-dir", "mine")
    assert "--resume" in message
    assert Path("mine/last.pth").read_bytes() == b"precious"


def test_resume_from_a_file_that_is_not_there(data: Path, capsys) -> None:
    message = error_of(capsys, "train", TINY, "--data", data, "--resume", "lost.pth")
    assert "no checkpoint lost.pth" in message


def test_device_that_is_not_there(data: Path, capsys) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    assert "device cuda is not" in error_of(
        capsys, "train", TINY, "--data", data, "--device", "cuda"
    )


def test_truncated_checkpoint(data: Path, capsys) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(1000)}}, "whole.pth")
    Path("broken.pth").write_bytes(Path("whole.pth").read_bytes()[:2000])
    assert "broken.pth" in error_of(capsys, "test", TINY, "broken.pth", "--data", data)
    assert "broken.pth" in error_of(capsys, "predict", "broken.pth", data / "images/val")


def test_checkpoint_of_another_model(data: Path, capsys) -> None:
    torch.save({"state_dict": {"layer.weight": torch.zeros(3)}}, "other.pth")
    message = error_of(capsys, "test", TINY, "other.pth", "--data", data)
    assert "other.pth" in message


class _Planted:
    def __reduce__(self):
        import os

        return os.system, ("touch ran_planted_code",)


def test_checkpoint_with_code_is_not_run(data: Path, capsys) -> None:
    torch.save({"state_dict": {}, "extra": _Planted()}, "unsafe.pth")
    for command in (
        ("test", TINY, "unsafe.pth", "--data", data),
        ("predict", "unsafe.pth", "x.jpg"),
    ):
        assert "unsafe.pth" in error_of(capsys, *command)
    assert not Path("ran_planted_code").exists()


def test_missing_checkpoint_and_image(data: Path, capsys) -> None:
    assert "nowhere.pth" in error_of(capsys, "test", TINY, "nowhere.pth", "--data", data)
    assert "nowhere.pth" in error_of(capsys, "predict", "nowhere.pth", "a.jpg")
