"""`vitdet visualize`, as a user calls it."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests import tiny_mask_rcnn
from tests.insight.tiny_checkpoints import save_checkpoint
from vitdet.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("visualize")
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (48, 80, 3), np.uint8))
    for name in ("detr", "yolos", "sequencer_detr"):
        save_checkpoint(name, folder)
    tiny_mask_rcnn.save_checkpoint(folder / "resnet.pth")
    return folder


def run(*words: object) -> None:
    device = [] if words[0] == "data" else ["--device", "cpu"]
    main(["visualize", *map(str, words), *device])


@pytest.mark.parametrize("name", ["detr", "yolos", "sequencer_detr"])
def test_attention(folder: Path, name: str, capsys: pytest.CaptureFixture) -> None:
    out, html = folder / f"{name}.png", folder / f"{name}.html"
    layers = ["stages.1.blocks.0", "encoder.0"] if name == "sequencer_detr" else ["all"]
    words = ["--layer", *layers, "--head", "all", "--score-threshold", 0, "--objects", 2]
    words += ["--side", 96] + (["--rollout"] if name != "sequencer_detr" else [])
    run("attention", folder / f"{name}.pth", folder / "a.png", *words, "--out", out, "--html", html)
    assert capsys.readouterr().out == f"{out} and {html} written\n"
    assert Image.open(out).width > 4 * 96
    text = html.read_text()
    entries = json.loads(re.search(r"application/json\">(.*?)</script>", text).group(1))
    names = [entry["name"] for entry in entries]
    expected = {
        "detr": ["stages.0.blocks.0", "stages.1.blocks.0", "stages.1.blocks.1", "encoder.0"],
        "yolos": ["blocks.0", "blocks.1"],  # in the last one only detection tokens ask
        "sequencer_detr": ["stages.1.blocks.0", "encoder.0"],
    }
    assert names == expected[name]
    assert "http" not in text.replace("http-equiv", "")


def test_several_images_and_a_point(folder: Path) -> None:
    out = folder / "two.png"
    words = ["--point", 0.9, 0.1, "--side", 96, "--columns", 2]
    run("attention", folder / "yolos.pth", folder / "a.png", folder / "b.png", *words, "--out", out)
    one = folder / "one.png"
    run("attention", folder / "yolos.pth", folder / "a.png", *words, "--out", one)
    assert Image.open(out).height == 2 * Image.open(one).height


def test_features_and_receptive_fields(folder: Path) -> None:
    out = folder / "features.png"
    run("features", folder / "resnet.pth", folder / "a.png", "--side", 96, "--out", out)
    assert Image.open(out).size[0] > 5 * 96
    out, html = folder / "fields.png", folder / "fields.html"
    words = ["--size", 64, "--num-images", 1, "--side", 64, "--out", out, "--html", html]
    run("receptive-field", folder / "detr.pth", "deit-tiny", "--images", folder / "a.png", *words)
    titles = re.findall("<h2>(.*?)</h2>", html.read_text())
    name = f"{folder.name}/detr.pth"
    assert titles == [f"{name} before training", f"{name} after training", "deit-tiny, untrained"]
    run("receptive-field", "deit-tiny", *words)  # of generated images


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["attention", "{}/detr.pth", "{}/a.png", "--layer", "blocks.9"], "is no layer"),
        (["attention", "{}/detr.pth", "{}/a.png", "--head", "7"], "has heads 0 to 1"),
        (["attention", "{}/detr.pth", "{}/a.png", "--point", "3", "0"], "shares of the image"),
        (["attention", "{}/detr.pth", "{}/none.png"], "not found"),
        (["attention", "{}/resnet.pth", "{}/a.png"], "has no attention"),
        (["attention", "{}/sequencer_detr.pth", "{}/a.png", "--rollout"], "no attention layers"),
        (["attention", "{}/detr.pth", "{}/a.png", "--out", "{}/a.gif"], "end in .png"),
        (["features", "{}/none.pth", "{}/a.png"], "none.pth"),
        (["receptive-field", "nothing-at-all"], "is no checkpoint"),
        (["receptive-field", "deit-tiny", "--size", "8"], "at least 32"),
        (["predictions", "no_config", "{}/detr.pth"], "does not exist"),
        (["data", "no_config"], "does not exist"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run(*(word.format(folder) for word in words))
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
