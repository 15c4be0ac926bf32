"""Folders of images and label files: found, paired and loaded."""

from pathlib import Path

import numpy as np
import pytest
from mmseg.datasets.transforms import PackSegInputs
from PIL import Image

from tests.datasets.labelled_folder import SIZE, write_folder
from vitdet.datasets import LoadLabels, SemanticFolder, ShapesSemantic
from vitdet.datasets.image_transforms import LoadImage
from vitdet.datasets.semantic_folder import find_semantic, pair_files
from vitdet.errors import UserError

PREFIX = dict(img_path="images/train", seg_map_path="masks/train")
PIPELINE = [dict(type=LoadImage), dict(type=LoadLabels), dict(type=PackSegInputs)]


def test_items_have_labels_by_the_table(tmp_path: Path) -> None:
    write_folder(tmp_path, values=(0, 3, 9), names=["3: car 1 2 3", "9: sky 4 5 6", "0: ignore"])
    dataset = SemanticFolder(str(tmp_path), PREFIX, pipeline=PIPELINE)
    assert len(dataset) == 3
    assert dataset.metainfo["classes"] == ("car", "sky")
    assert [tuple(colour) for colour in dataset.metainfo["palette"]] == [(1, 2, 3), (4, 5, 6)]
    item = dataset[1]
    assert item["inputs"].shape == (3, *SIZE[::-1])
    values = np.asarray(Image.open(tmp_path / "masks/train/1.png"))
    expected = np.select([values == 3, values == 9], [0, 1], 255)
    assert np.array_equal(item["data_samples"].gt_sem_seg.data[0], expected)


def test_without_classes_txt_the_config_names_the_values(tmp_path: Path) -> None:
    write_folder(tmp_path, names=None)
    dataset = SemanticFolder(str(tmp_path), PREFIX, metainfo=dict(classes=("a", "b", "c")))
    assert dataset.table.values == (0, 1, 2)
    assert len(dataset.metainfo["palette"]) == 3
    with pytest.raises(UserError, match=r"classes\.txt is missing, and the config names no"):
        SemanticFolder(str(tmp_path), PREFIX)


def test_a_class_list_of_another_length_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path)
    with pytest.raises(UserError, match=r"names 3 classes \(sky, road, car\), the config 2 \(a, b"):
        SemanticFolder(str(tmp_path), PREFIX, metainfo=dict(classes=("a", "b")))


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (("images/train", "masks/train"), ("images/val", "masks/val")),
        (("images/training", "annotations/training"), ("images/validation",) * 2),
        (("train/images", "train/masks"), ("valid/images", "valid/masks")),
        (("img_dir/train", "ann_dir/train"), ("img_dir/val", "ann_dir/val")),
        (("train", "trainannot"), ("val", "valannot")),
        (("images", "masks"), ("images", "masks")),
    ],
)
def test_folders_are_found(
    tmp_path: Path, train: tuple[str, str], val: tuple[str, str], capsys: pytest.CaptureFixture
) -> None:
    if val[0] == val[1]:
        val = (val[0], val[0].replace("images", "annotations"))
    for folder in (*train, *val):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    found = find_semantic(tmp_path)
    assert (found.train, found.val) == (train, val)


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data folder not found"):
        find_semantic(tmp_path / "nowhere")
    (tmp_path / "images/train").mkdir(parents=True)
    with pytest.raises(UserError, match=r"looked for images/train with masks/train.*found images/"):
        find_semantic(tmp_path)


@pytest.mark.parametrize("ending", ["", "_mask", "_gtFine_labelIds", ".labels"])
def test_label_files_are_named_after_their_image(tmp_path: Path, ending: str) -> None:
    for folder, last in (("images", ".jpg"), ("masks", f"{ending}.png")):
        for name in ("a", "a_1", "a_1_2", "town/a"):
            path = tmp_path / folder / f"{name}{last}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (tmp_path / "masks/readme.txt").touch()
    pairs = pair_files(tmp_path / "images", tmp_path / "masks")
    assert [image.stem for image, _ in pairs] == ["a", "a_1", "a_1_2", "a"]
    for image, labels in pairs:
        assert labels.relative_to(tmp_path / "masks").parent == image.parent.relative_to(
            tmp_path / "images"
        )
        assert labels.name == f"{image.stem}{ending}.png"


def test_pairs_that_are_none_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, ending="_mask")
    images, masks = tmp_path / "images/train", tmp_path / "masks/train"
    (masks / "2_color.png").touch()
    with pytest.raises(UserError, match=r"2\.jpg\? There is 2_color\.png, 2_mask\.png"):
        pair_files(images, masks)
    (masks / "2_color.png").unlink()
    (masks / "1_mask.png").rename(masks / "1_labels.png")
    with pytest.raises(UserError, match=r"1\.jpg\? There is 1_labels\.png.* '_mask', '_labels'"):
        pair_files(images, masks)
    (masks / "1_labels.png").unlink()
    with pytest.raises(UserError, match=r"1 of 3 images in .* no label file .*: 1\.jpg"):
        pair_files(images, masks)
    (images / "1.png").touch()
    with pytest.raises(UserError, match="are one image by their names"):
        pair_files(images, masks)
    with pytest.raises(UserError, match=r"no images in .*/classes\.txt: it has not even"):
        pair_files(tmp_path / "classes.txt", masks)


def test_generated_shapes_are_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitdet.datasets import shapes_semantic

    made = shapes_semantic.ensure_shapes
    monkeypatch.setattr(
        shapes_semantic, "ensure_shapes", lambda root, num_train: made(root, num_train=3, num_val=1)
    )
    ShapesSemantic.prepare(tmp_path / "shapes")
    dataset = ShapesSemantic(str(tmp_path / "shapes"), PREFIX, pipeline=PIPELINE)
    assert dataset.metainfo["classes"][0] == "background" and len(dataset.metainfo["classes"]) == 7
    labels = dataset[0]["data_samples"].gt_sem_seg.data
    assert labels[0].numpy().shape == (160, 160) and 0 in labels and 0 < labels.max() < 7
