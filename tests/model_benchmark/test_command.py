"""The command's table, files and messages."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serving.constant_model import save_constant_model
from vitdet.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_constant_model(tmp_path_factory.mktemp("run") / "model.onnx")


def test_table_files_and_plot(model, tmp_path, capfd) -> None:
    out = tmp_path / "speed"
    words = ("--seconds", "0.01", "--batches", "2", "1", "--sizes", "64x48", "32x32")
    main(["benchmark-model", str(model), "--out", str(out), *words])
    printed = capfd.readouterr().out
    rows = list(csv.DictReader((out / "speed.csv").open()))
    cases = [(row["size"], row["batch"]) for row in rows]
    assert cases == [("64x48", "1"), ("64x48", "2"), ("32x32", "1"), ("32x32", "2")]
    assert all(float(row["p50 ms"]) <= float(row["p99 ms"]) for row in rows)
    content = json.loads((out / "speed.json").read_text())
    assert [{key: str(value) for key, value in row.items()} for row in content["cases"]] == rows
    assert content["checkpoint"] == "model.onnx"
    assert "p99 ms" in printed and printed.count("| onnx ") == 4
    with Image.open(out / "speed.png") as plot:
        assert plot.width > 800 and len(np.unique(np.asarray(plot.convert("L")))) > 50


@pytest.mark.slow
def test_a_checkpoint_in_every_runtime(tmp_path, capfd) -> None:
    from tests.deploy.test_export import save_checkpoint

    checkpoint = save_checkpoint("tiny_yolos", tmp_path)
    words = ("--seconds", "0.01", "--sizes", "96x64", "--compile", "--out", str(tmp_path / "speed"))
    main(["benchmark-model", str(checkpoint), *words])
    content = json.loads((tmp_path / "speed/speed.json").read_text())
    assert [row["runtime"] for row in content["cases"]] == [
        name for name in ("eager", "compiled", "onnx") for _ in range(2)
    ]
    assert content["parameters"] > 1000 and content["multiply_adds"]["96x64"] > 1e5
    assert "M parameters" in capfd.readouterr().out


class TestMistakes:
    def error_of(self, capsys, *words: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["benchmark-model", *map(str, words)])
        assert ended.value.code == 2
        return capsys.readouterr().err

    @pytest.mark.parametrize(
        "words", [["--batches", 0], ["--seconds", 0], ["--threads", -1], ["--sizes", "0x5"]]
    )
    def test_numbers_that_make_no_sense(self, words, model, tmp_path, capsys) -> None:
        message = self.error_of(capsys, model, "--out", tmp_path / "speed", *words)
        assert "count" in message
        assert not (tmp_path / "speed").exists()

    def test_no_size(self, model, capsys) -> None:
        assert "no size such as 640x480" in self.error_of(capsys, model, "--sizes", "640")

    def test_a_photo_that_is_missing(self, model, tmp_path, capsys) -> None:
        message = self.error_of(capsys, model, "--images", tmp_path / "lost.jpg")
        assert "image not found" in message and "lost.jpg" in message

    def test_a_folder_that_is_a_file(self, model, capsys) -> None:
        assert "cannot be written" in self.error_of(capsys, model, "--out", model)
