"""What is published predicts what the run's checkpoint predicts, and holds nothing else."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import tiny_mask_rcnn
from vitdet.checkpoints.files import read_checkpoint
from vitdet.checkpoints.publishing import publish
from vitdet.cli import main
from vitdet.compat.safetensors_format import read_safetensors, write_safetensors
from vitdet.errors import UserError
from vitdet.inference import Predictor


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "bees"
    folder.mkdir()
    path = tiny_mask_rcnn.save_checkpoint(folder / "best.pth")
    content = torch.load(path, weights_only=False)
    content["optimizer"] = {"state": torch.zeros(10_000)}
    content["meta"] |= {"best_metric": "coco/bbox_mAP", "best_score": 0.4321, "epoch": 12}
    torch.save(content, path)
    return path


@pytest.mark.parametrize("file_format", ["safetensors", "pth"])
def test_the_file_is_all_that_is_needed(checkpoint, tmp_path, file_format) -> None:
    file = publish(checkpoint, tmp_path / "out", file_format=file_format)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f"bees-{digest[:8]}.{file_format}"
    assert file.stat().st_size < checkpoint.stat().st_size - 4000
    pixels = np.random.default_rng(0).integers(0, 255, (80, 120, 3), dtype=np.uint8)
    (ours,), (theirs,) = Predictor(file, "cpu")(pixels), Predictor(checkpoint, "cpu")(pixels)
    assert len(ours.boxes) > 0
    for name in ("boxes", "scores", "labels", "masks"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.class_names == tiny_mask_rcnn.CLASSES
    assert "optimizer" not in read_checkpoint(file)
    assert {path.suffix for path in file.parent.iterdir()} == {f".{file_format}", ".json", ".md"}


def test_json_and_card_tell_what_it_is(checkpoint, tmp_path) -> None:
    file = publish(checkpoint, tmp_path)
    facts = json.loads(file.with_suffix(".json").read_text())
    assert facts["dataset_meta"]["classes"] == list(tiny_mask_rcnn.CLASSES)
    assert "work_dir" not in facts["cfg"] and "MaskRCNN" in facts["cfg"]
    card = file.with_suffix(".md").read_text()
    for told in ("MaskRCNN", "3: ant, bee, cat", "coco/bbox_mAP 0.4321", "12 epochs", file.name):
        assert told in card


def test_the_library_of_the_format_reads_it(tmp_path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    tensors = {
        "half": torch.rand(3, 5).bfloat16(),
        "turned": torch.arange(6).view(2, 3).t(),
        "none": torch.zeros(0, 2),
        "flag": torch.tensor(True),
    }
    path = tmp_path / "a.safetensors"
    write_safetensors(tensors, path, meta={"a": 1})
    for found in (safetensors.load_file(path), read_safetensors(path)["state_dict"]):
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert read_safetensors(path)["meta"] == {"a": 1}


def test_weights_without_a_config_are_refused_in_a_line(tmp_path, capsys) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}}, path)
    with pytest.raises(UserError, match="carries no config"):
        publish(path, tmp_path / "out")
    with pytest.raises(SystemExit) as ended:
        main(["publish", str(path), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1
