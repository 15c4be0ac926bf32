"""UperNet and Semantic FPN through our runner: train, resume, test, predict, draw."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from vitdet import Predictor, engine
from vitdet.checkpoints.files import read_checkpoint
from vitdet.cli import main
from vitdet.engine import load_config, train

FOLDER = Path(__file__).parent
RECIPES = ("tiny_upernet", pytest.param("tiny_semantic_fpn", marks=pytest.mark.slow))


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Path:
    return FOLDER / f"{request.param}.py"


@pytest.fixture(scope="module")
def run(recipe: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    return train(load_config(recipe, data=data), tmp_path_factory.mktemp("run"), device="cpu")


def test_the_loss_falls_and_the_run_is_complete(run: Path) -> None:
    lines = next(run.glob("*/vis_data/scalars.json")).read_text().splitlines()
    losses = [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]
    assert len(losses) == 20
    assert losses[-1] < 0.95 * losses[3]  # each the mean of all steps up to it
    best, last = (read_checkpoint(run / f"{name}.pth")["meta"] for name in ("best", "last"))
    assert best["best_metric"] == "mIoU" and best["best_score"] > 0
    assert last["iter"] == 20
    with Image.open(run / "predictions.png") as sheet:
        assert sheet.width > 4 * 480  # image, ground truth, prediction, classes


def test_resume_goes_on(recipe: Path, run: Path, data: Path) -> None:
    config = load_config(recipe, data=data, options={"train_cfg.max_iters": 22})
    last = read_checkpoint(train(config, run, resume=True, device="cpu") / "last.pth")
    assert last["meta"]["iter"] == 22


def test_tested_model_and_predictor_agree(
    recipe: Path, run: Path, data: Path, tmp_path: Path, classes: tuple[str, ...]
) -> None:
    """The score of the label files that `predict` writes is the one that `test` gives."""
    content = torch.load(run / "last.pth", weights_only=False)
    torch.manual_seed(0)
    content["state_dict"]["decode_head.conv_seg.weight"].normal_()  # so that all classes are found
    checkpoint = tmp_path / "x.pth"
    torch.save(content, checkpoint)
    config = load_config(recipe, data=data)
    metrics = engine.test(
        config, checkpoint, tmp_path / "t", show_dir=tmp_path / "drawn", device="cpu"
    )
    pictures = sorted((tmp_path / "drawn").iterdir())
    assert [path.name for path in pictures] == ["00001.png", "00002.png"]
    images = str(data / "images/val")
    main(["predict", str(checkpoint), images, "--out", str(tmp_path), "--device", "cpu"])
    assert (tmp_path / "classes.txt").read_text().split() == ["background", *classes]
    hits, found = 0, set()
    for path in sorted((data / "masks/val").iterdir()):
        with Image.open(tmp_path / "masks" / path.name) as written, Image.open(path) as truth:
            assert written.mode == "P"
            found |= set(np.unique(np.asarray(written)))
            hits += (np.asarray(written) == np.asarray(truth)).sum()
    assert len(found) > 3
    assert metrics["aAcc"] == pytest.approx(100 * hits / (2 * 64 * 64), abs=1e-3)
    with Image.open(tmp_path / "00001.png") as drawing:
        assert drawing.width == 64 and drawing.height > 64  # a legend below


def test_batches_of_different_sizes(run: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (*size, 3), np.uint8) for size in ((64, 64), (45, 71), (64, 64))]
    predictor = Predictor(run / "last.pth", "cpu")
    assert predictor.class_names[0] == "background"
    one_by_one = predictor(images)
    for alone, batched in zip(one_by_one, predictor(images, batch_size=3), strict=True):
        assert batched.semantic.shape == batched.image_size == alone.image_size
        assert (alone.semantic == batched.semantic).mean() > 0.999


def test_merged_views(recipe: Path, run: Path, data: Path, tmp_path: Path) -> None:
    config = load_config(recipe, data=data)
    plain = engine.test(load_config(recipe, data=data), run / "last.pth", tmp_path, device="cpu")
    merged = engine.test(config, run / "last.pth", tmp_path, tta=[1.0, 1.5], device="cpu")
    assert merged["aAcc"] == pytest.approx(plain["aAcc"], abs=20)
    pipeline = config.test_dataloader.dataset.pipeline[-1].transforms
    assert [len(step) for step in pipeline] == [2, 2, 1, 1]


def test_sliding_windows_take_the_training_crop(recipe: Path, run: Path, data: Path) -> None:
    options = {"model.test_cfg.mode": "slide"}
    config = load_config(recipe, data=data, options=options)
    assert config.model.test_cfg.crop_size == (64, 64) == config.model.data_preprocessor.size
    assert config.model.test_cfg.stride == (42, 42)
    with DefaultScope.overwrite_default_scope("mmseg"):
        model = MODELS.build(config.model)
    model.load_state_dict(read_checkpoint(run / "last.pth")["state_dict"])
    image = torch.randint(0, 256, (3, 90, 64), generator=torch.manual_seed(0)).float()
    samples = [model.data_preprocessor(dict(inputs=[image]))["inputs"]]
    model.eval()
    with torch.no_grad():
        whole = model.slide_inference(samples[0], [{}])
        parts = [
            model.encode_decode(samples[0][:, :, top : top + 64], [dict(img_shape=(64, 64))])
            for top in (0, 26)
        ]
    torch.testing.assert_close(whole[:, :, :26], parts[0][:, :, :26])
    torch.testing.assert_close(whole[:, :, 64:], parts[1][:, :, 38:])
    both = (parts[0][:, :, 26:] + parts[1][:, :, :38]) / 2
    torch.testing.assert_close(whole[:, :, 26:64], both)


def test_fine_tuning_keeps_the_rows_of_known_classes(
    recipe: Path, run: Path, data: Path, tmp_path: Path
) -> None:
    """Started on data whose classes are fewer, in another order, one of them unknown."""
    old = (data / "classes.txt").read_text().split()
    new = [old[0], "novelty", *old[:2:-1]]
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for split in ("train", "val"):
            (tmp_path / part / split).mkdir()
            for path in sorted((data / part / split).iterdir()):
                target = tmp_path / part / split / path.name
                if part == "images":
                    target.symlink_to(path)
                else:
                    with Image.open(path) as labels:
                        Image.fromarray(np.asarray(labels) % len(new)).save(target)
    (tmp_path / "classes.txt").write_text("\n".join(new))
    options = {"load_from": str(run / "last.pth"), "train_cfg.max_iters": 1}
    options["optim_wrapper.optimizer.lr"] = 0.0
    folder = train(
        load_config(recipe, data=tmp_path, options=options), tmp_path / "w", device="cpu"
    )
    before, after = (read_checkpoint(path / "last.pth")["state_dict"] for path in (run, folder))
    layers = [key for key in after if ".conv_seg." in key]
    assert len(layers) == (4 if recipe.stem == "tiny_upernet" else 2)
    for key in layers:
        assert len(after[key]) == len(new) < len(before[key])
        for row, name in enumerate(new):
            if name != "novelty":
                assert torch.equal(after[key][row], before[key][old.index(name)])
