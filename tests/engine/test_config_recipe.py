"""Recipes made for COCO or ADE20K, on data of another size."""

from pathlib import Path

import pytest

from vitdet.datasets.shapes import generate_shapes
from vitdet.engine import load_config
from vitdet.engine.config_recipe import fit_recipe, images_made_for


@pytest.fixture(scope="module")
def small_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of 160 pixels to train on."""
    root = tmp_path_factory.mktemp("data")
    return generate_shapes(root, num_train=10, num_val=2, image_size=160)


def test_a_detector_trains_long_enough_with_a_warm_up_that_ends(small_images: Path) -> None:
    config = load_config("swin_maskrcnn_coco", data=small_images)
    assert config.train_cfg.max_epochs == 100 and config.train_cfg.val_interval == 5
    warm_up, steps = config.param_scheduler
    assert warm_up.end == 50  # of 100 x 5 steps
    assert steps.end == 100 and steps.milestones == [67, 92]
    assert config.auto_scale_lr.enable
    resize = next(s for s in config.train_dataloader.dataset.pipeline if "scale" in s)
    assert resize.scale == (544, 320)


def test_a_segmentor_trains_in_proportion(small_images: Path) -> None:
    config = load_config("swin_upernet_ade20k", data=small_images)
    assert config.train_cfg.max_iters == 4000 and config.train_cfg.val_interval == 200
    warm_up, decay = config.param_scheduler
    assert warm_up.end == decay.begin == 400 and decay.end == 4000


def test_options_have_the_last_word(small_images: Path) -> None:
    options = {"train_cfg.max_epochs": 7, "auto_scale_lr.enable": False}
    config = load_config("detr_coco", data=small_images, options=options)
    assert config.train_cfg.max_epochs == 7 and not config.auto_scale_lr.enable


def test_as_many_images_as_the_recipe_was_made_for_change_nothing(small_images: Path) -> None:
    config = load_config("swin_maskrcnn_coco", data=small_images)
    before = config.train_cfg.to_dict()
    fit_recipe(config, made_for=10)
    assert config.train_cfg.to_dict() == before


def test_a_config_of_ones_own_is_taken_at_its_word(small_images: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from mmengine.config import read_base\n"
        "with read_base():\n    from vitdet.configs.swin_maskrcnn_coco import *\n"
        "train_cfg.update(max_epochs=3)\n"
    )
    config = load_config(path, data=small_images)
    assert config.train_cfg.max_epochs == 3 and config.param_scheduler[0].end == 1000


def test_recipes_for_their_own_data_are_left_alone(small_images: Path) -> None:
    config = load_config("swin_maskrcnn_shapes", data=small_images)
    assert images_made_for(config) is None
    assert config.train_cfg.max_epochs == 10
