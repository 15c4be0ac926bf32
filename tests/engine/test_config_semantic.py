"""A segmentor's config follows a folder of images and label files, which are checked."""

import os
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from PIL import Image

from tests.datasets.labelled_folder import write_folder
from vitdet.datasets import LoadLabels, SemanticFolder
from vitdet.engine import config_semantic, load_config
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError
from vitdet.evaluation import IoUMetric

TINY = Path(__file__).with_name("tiny_segmentor.py")
PARTS = ("train", "val", "test")


def write_ade20k(root: Path, *, values: tuple[int, ...] = (0, 1, 150)) -> Path:
    """Files as the scene parsing challenge has them."""
    for split in ("training", "validation"):
        for folder in ("images", "annotations"):
            (root / folder / split).mkdir(parents=True)
        Image.new("RGB", (8, 6)).save(root / f"images/{split}/ADE_{split}_1.jpg")
        labels = np.resize(np.uint8(values), (6, 8))
        Image.fromarray(labels).save(root / f"annotations/{split}/ADE_{split}_1.png")
    return root


def test_data_makes_a_config_follow_a_folder(tmp_path: Path) -> None:
    root = write_folder(tmp_path, names=["sky 1 2 3", "ignore", "2: car 4 5 6"])
    config = load_config(TINY, data=root)
    heads = (config.model.decode_head, config.model.auxiliary_head)
    assert [head.num_classes for head in heads] == [2, 2]
    assert heads[0].in_channels == [12, 24, 48, 96] and heads[1].in_channels == 48
    for part in PARTS:
        node = config[f"{part}_dataloader"].dataset
        assert class_of(node, "mmseg") is SemanticFolder
        assert tuple(node.metainfo.classes) == ("sky", "car")
        assert [tuple(colour) for colour in node.metainfo.palette] == [(1, 2, 3), (4, 5, 6)]
        assert node.data_prefix.img_path == f"images/{'train' if part == 'train' else 'val'}"
    assert class_of(config.val_evaluator, "mmseg") is IoUMetric
    with DefaultScope.overwrite_default_scope("mmseg"):
        item = DATASETS.build(config.train_dataloader.dataset)[0]
        MODELS.build(config.model)
    assert set(item["data_samples"].gt_sem_seg.data.unique().tolist()) <= {0, 1, 255}


def test_saved_config_loads_to_the_same(tmp_path: Path) -> None:
    for number, names in enumerate((["sky", "road", "car"], None)):
        root = write_folder(tmp_path / str(number), names=names)
        config = load_config(TINY, data=root)
        config.dump(tmp_path / "saved.py")
        assert load_config(tmp_path / "saved.py").to_dict() == config.to_dict()


def test_without_names_values_are_the_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = load_config(TINY, data=write_folder(tmp_path, values=(0, 1, 2, 3), names=None))
    assert config.model.decode_head.num_classes == 4
    classes = config.val_dataloader.dataset.metainfo.classes
    assert tuple(classes) == ("class 0", "class 1", "class 2", "class 3")
    with pytest.raises(UserError, match=r"classes\.txt is missing.*: 0, 5\. Write"):
        load_config(TINY, data=write_folder(tmp_path, values=(0, 5), names=None))


def test_colours_of_palette_pngs_are_drawn(tmp_path: Path) -> None:
    write_folder(tmp_path)
    for path in tmp_path.glob("masks/*/*.png"):
        image = Image.open(path)
        image.putpalette([9, 8, 7, 0, 0, 200, 40, 50, 60])
        image.save(path)
    palette = load_config(TINY, data=tmp_path).val_dataloader.dataset.metainfo.palette
    assert [tuple(colour) for colour in palette] == [(9, 8, 7), (0, 0, 200), (40, 50, 60)]


def test_coloured_masks_train_by_the_colours_of_classes_txt(tmp_path: Path) -> None:
    write_folder(tmp_path)
    colours = np.uint8([[0, 0, 0], [250, 0, 0], [0, 0, 250]])
    for path in tmp_path.glob("masks/*/*.png"):
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(path)
    with pytest.raises(UserError, match=r"masks/train/0\.png has three channels"):
        load_config(TINY, data=tmp_path)
    (tmp_path / "classes.txt").write_text("sky 0 0 0\nroad 250 0 0\ncar 0 0 250")
    assert load_config(TINY, data=tmp_path).model.decode_head.num_classes == 3


@pytest.mark.parametrize("ending", ["", "_mask"])
def test_planted_faults_stop_before_training(tmp_path: Path, ending: str) -> None:
    root = write_folder(tmp_path, ending=ending)
    good = load_config(TINY, data=root)
    bad = root / f"masks/val/1{ending}.png"
    labels = np.asarray(Image.open(bad)).copy()
    labels[3, 4] = 77
    Image.fromarray(labels).save(bad)
    with pytest.raises(UserError, match=rf"val/1{ending}\.png has the value 77.*`77: ignore`"):
        load_config(TINY, data=root)
    bad.unlink()
    with pytest.raises(UserError, match=r"1 of 2 images in .*images/val have no label file"):
        load_config(TINY, data=root)
    (root / "classes.txt").write_text("sky\nroad")
    good.dump(tmp_path / "saved.py")
    with pytest.raises(UserError, match=r"names 2 classes \(sky, road\), the config 3"):
        load_config(tmp_path / "saved.py")


def test_published_data_sets_are_checked_too(tmp_path: Path) -> None:
    root = write_ade20k(tmp_path / "ade")
    config = load_config(TINY, data=root)
    assert config.model.decode_head.num_classes == 150
    node = config.train_dataloader.dataset
    assert class_of(node, "mmseg").__name__ == "ADE20KDataset" and node.data_root == str(root)
    with DefaultScope.overwrite_default_scope("mmseg"):
        labels = DATASETS.build(node)[0]["data_samples"].gt_sem_seg.data
    assert set(labels.unique().tolist()) == {0, 149, 255}
    with pytest.raises(UserError, match=r"validation_1\.png|training_1\.png has the value 151"):
        load_config(TINY, data=write_ade20k(tmp_path / "more", values=(0, 1, 151)))
    with pytest.raises(UserError, match=r"train: ADE20KDataset is not whole in nowhere"):
        options = {f"{part}_dataloader.dataset.data_root": "nowhere" for part in PARTS}
        load_config(TINY, options=options)


def test_chosen_classes_of_published_data_are_checked_as_mmseg_maps_them(tmp_path: Path) -> None:
    root = write_ade20k(tmp_path, values=(0, 1, 2, 3))
    config = load_config(TINY, data=root)
    for part in PARTS:
        config[f"{part}_dataloader"].dataset.metainfo = dict(classes=("sky", "wall"))
    for head in (config.model.decode_head, config.model.auxiliary_head):
        del head["num_classes"]
    config.dump(tmp_path / "saved.py")
    config = load_config(tmp_path / "saved.py")
    assert config.model.decode_head.num_classes == 2
    with DefaultScope.overwrite_default_scope("mmseg"):
        labels = DATASETS.build(config.val_dataloader.dataset)[0]["data_samples"].gt_sem_seg.data
    assert labels.flatten()[:4].tolist() == [255, 1, 255, 0]  # other, wall, building, sky


def test_parts_that_read_their_labels_differently_are_named(tmp_path: Path) -> None:
    options = {"val_dataloader.dataset.reduce_zero_label": False}
    with pytest.raises(UserError, match="train and val read their labels differently"):
        load_config(TINY, data=write_ade20k(tmp_path), options=options)


def test_text_style_configs_of_mmseg_train_on_a_folder(tmp_path: Path) -> None:
    text = tmp_path / "text.py"
    text.write_text("_base_ = ['mmseg::upernet/upernet_r50_4xb4-80k_ade20k-512x512.py']\n")
    root = write_folder(tmp_path / "data", names=["sky", "road", "2: ignore"])
    config = load_config(text, data=root)
    assert config.model.decode_head.num_classes == 2
    steps = [config.train_dataloader.dataset.pipeline[1], config.tta_pipeline[1].transforms[2][0]]
    assert [class_of(step, "mmseg") for step in steps] == [LoadLabels, LoadLabels]
    with DefaultScope.overwrite_default_scope("mmseg"):
        labels = DATASETS.build(config.train_dataloader.dataset)[0]["data_samples"].gt_sem_seg
    assert set(labels.data.unique().tolist()) <= {0, 1, 255}


def test_concatenated_data_sets_are_checked_each(tmp_path: Path) -> None:
    roots = [write_folder(tmp_path / name) for name in ("a", "b")]
    config = load_config(TINY, data=roots[0])
    first = config.train_dataloader.dataset
    second = dict(first, data_root=str(roots[1]))
    config.train_dataloader.dataset = dict(type="ConcatDataset", datasets=[first, second])
    config.dump(tmp_path / "saved.py")
    load_config(tmp_path / "saved.py")
    (roots[1] / "masks/train/2.png").unlink()
    with pytest.raises(UserError, match=r"b/masks/train: 2\.jpg"):
        load_config(tmp_path / "saved.py")


def test_one_process_of_a_machine_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    count = config_semantic.count_values
    monkeypatch.setattr(
        config_semantic, "count_values", lambda *a, **k: counted.append(a) or count(*a, **k)
    )
    root = write_folder(tmp_path)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert load_config(TINY, data=root).model.decode_head.num_classes == 3 and not counted
    (root / "classes.txt").unlink()  # then the values are needed for the names
    load_config(TINY, data=root)
    assert len(counted) == 2


def test_data_without_labels_is_only_predicted_on(tmp_path: Path) -> None:
    root = write_folder(tmp_path)
    options = {
        "test_evaluator.format_only": True,
        "test_evaluator.output_dir": "out",
        "test_dataloader.dataset.data_prefix.seg_map_path": "nowhere",
    }
    config = load_config(TINY, data=root, options=options)
    assert tuple(config.test_dataloader.dataset.metainfo.classes) == ("sky", "road", "car")


def test_camvid_trains_once_its_void_is_ignored(shared_data: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        for ours, theirs in (("images", split), ("masks", f"{split}annot")):
            (tmp_path / ours).mkdir(exist_ok=True)
            os.symlink(shared_data / "camvid" / theirs, tmp_path / ours / split)
    names = [f"class of value {value}" for value in range(11)]
    (tmp_path / "classes.txt").write_text("\n".join(names))
    with pytest.raises(UserError, match=r"has the value 11, .* if 11 means no label, add `11: ig"):
        load_config(TINY, data=tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join([*names, "11: ignore"]))
    assert load_config(TINY, data=tmp_path).model.decode_head.num_classes == 11


@pytest.mark.parametrize(
    ("name", "num_classes"),
    [("ade20k", 150), ("cityscapes", 19), ("pascal_voc", 21), ("coco_stuff", 171)],
)
def test_shipped_data_sets_name_what_is_missing(
    name: str, num_classes: int, tmp_path: Path
) -> None:
    text = TINY.read_text().replace("datasets.ade20k", f"datasets.{name}")
    (tmp_path / "config.py").write_text(text)
    with pytest.raises(UserError, match=r"^train: \w+Dataset is not whole in data/"):
        load_config(tmp_path / "config.py")
    node = Config.fromfile(tmp_path / "config.py").train_dataloader.dataset
    assert len(class_of(node, "mmseg").METAINFO["classes"]) == num_classes
