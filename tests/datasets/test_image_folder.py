"""Images by class: found, checked and prepared by torchvision's transforms."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets
from mmengine.dataset import pseudo_collate
from PIL import Image
from torchvision.transforms.v2 import CenterCrop, RandAugment, RandomResizedCrop, Resize

from vitdet.datasets import ImageFolder, LoadImage, PackImage, ToPIL, TorchvisionImages
from vitdet.datasets.image_folder import find_splits
from vitdet.datasets.repeated_augmentation import RepeatedAugmentation
from vitdet.datasets.shape_images import ensure_shape_images
from vitdet.errors import UserError

PIPELINE = [
    dict(type=LoadImage),
    dict(type=ToPIL),
    dict(type=Resize, size=20),
    dict(type=CenterCrop, size=16),
    dict(type=PackImage),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of red and blue images, one of them in a folder further down."""
    for split in ("train", "val"):
        for name, colour in (("red", (200, 10, 10)), ("blue", (10, 10, 200))):
            folder = tmp_path / split / name / "more"
            folder.mkdir(parents=True)
            Image.new("RGB", (30, 24), colour).save(folder / "1.png")
            Image.new("RGB", (24, 30), colour).save(folder.parent / "0.jpg")
            (folder / "notes.txt").write_text("no image")
    return tmp_path


def test_items_are_images_in_rgb_with_the_label_of_their_folder(root: Path) -> None:
    dataset = ImageFolder(
        data_root=str(root), data_prefix=dict(img="train"), pipeline=PIPELINE, test_mode=True
    )
    assert dataset.metainfo["classes"] == ("blue", "red")
    assert len(dataset) == 4
    batch = pseudo_collate([dataset[i] for i in range(4)])
    assert [int(sample.gt_label) for sample in batch["data_samples"]] == [0, 0, 1, 1]
    for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
        assert image.shape == (3, 16, 16) and image.dtype == torch.uint8
        brightest = image.float().mean((1, 2)).argmax()
        assert brightest == (2 if sample.gt_label == 0 else 0)
        assert Path(sample.img_path).is_file() and len(sample.ori_shape) == 2


def test_classes_of_the_config_number_the_labels(root: Path) -> None:
    dataset = ImageFolder(
        data_prefix=dict(img=str(root / "val")), metainfo=dict(classes=("red", "blue"))
    )
    first = dataset.get_data_info(0)
    assert first["gt_label"] == 0 and "/red/" in first["img_path"]


def test_augmentations_of_torchvision_change_the_image_only(root: Path) -> None:
    pipeline = [
        *PIPELINE[:2],
        dict(type=RandomResizedCrop, size=16),
        dict(type=RandAugment),
        PIPELINE[-1],
    ]
    item = ImageFolder(data_root=str(root), data_prefix=dict(img="train"), pipeline=pipeline)[0]
    assert item["inputs"].shape == (3, 16, 16)
    assert item["data_samples"].ori_shape == (30, 24)


def test_splits_are_found(root: Path) -> None:
    assert find_splits(root).val == root / "val"
    (root / "val").rename(root / "validation")
    assert find_splits(root).val == root / "validation"
    assert find_splits(root / "train").train == find_splits(root / "train").val == root / "train"
    with pytest.raises(UserError, match="not found"):
        find_splits(root / "nowhere")


def node(folder: Path) -> dict:
    return dict(data_root=str(folder), data_prefix=dict(img="train"))


def test_mistakes_are_named(root: Path) -> None:
    assert ImageFolder.read_classes(node(root)) == ["blue", "red"]
    ImageFolder.check(node(root), ["red", "blue"])
    with pytest.raises(UserError, match=r"folders of no known class: blue"):
        ImageFolder.check(node(root), ["red"])
    with pytest.raises(UserError, match=r"no folder for green; it has blue, red"):
        ImageFolder.check(node(root), ["red", "blue", "green"])
    (root / "train/green").mkdir()
    with pytest.raises(UserError, match=r"no images in .*green"):
        ImageFolder.check(node(root), ["red", "blue", "green"])
    with pytest.raises(UserError, match="is not a folder of class folders"):
        ImageFolder.read_classes(node(root / "train/green"))


class _Cifar:
    """What torchvision's CIFAR10 offers, without its files."""

    classes = ("plane", "car")

    def __init__(self, root: str, train: bool, download: bool) -> None:
        if not root:
            raise RuntimeError("Dataset not found")
        self.shade = 200 if train else 50

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", (32, 32), (self.shade, 0, index)), index % 2


def test_images_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", _Cifar)
    for train, shade in ((True, 200), (False, 50)):
        dataset = TorchvisionImages("CIFAR10", "somewhere", train=train, pipeline=PIPELINE)
        item = dataset[2]
        assert dataset.metainfo["classes"] == ("plane", "car")
        assert item["inputs"][:, 0, 0].tolist() == [shade, 0, 2]
        assert item["data_samples"].gt_label == 0 and item["data_samples"].img_path is None
    assert TorchvisionImages.read_classes(dict(kind="CIFAR10", data_root="x")) == ["plane", "car"]
    with pytest.raises(UserError, match="has the classes plane, car, not car"):
        TorchvisionImages.check(dict(kind="CIFAR10", data_root="x"), ["car"])
    with pytest.raises(UserError, match="'CIFAR11' is none of CIFAR10"):
        TorchvisionImages("CIFAR11", "x")
    with pytest.raises(UserError, match="could not be downloaded"):
        TorchvisionImages("CIFAR10", "")


def test_generated_images_show_each_kind_equally_and_always_the_same(tmp_path: Path) -> None:
    roots = [
        ensure_shape_images(tmp_path / name, num_train=12, num_val=6, seed=seed)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    counts = [len(list(folder.iterdir())) for folder in (roots[0] / "train").iterdir()]
    assert counts == [2] * 6
    first = "train/fish/00002.jpg"
    assert (roots[0] / first).read_bytes() == (roots[1] / first).read_bytes()
    assert (roots[0] / first).read_bytes() != (roots[2] / first).read_bytes()
    assert (roots[0] / first).read_bytes() != (roots[0] / "val/fish/00002.jpg").read_bytes()
    pixels = np.asarray(Image.open(roots[0] / first))
    assert pixels.shape == (80, 80, 3) and pixels.std() > 8
    ensure_shape_images(roots[0], num_train=6, num_val=6)  # other arguments: made anew
    assert len(list((roots[0] / "train").glob("*/*"))) == 6


def test_repeated_augmentation_shows_a_third_of_the_images_three_times() -> None:
    sampler = RepeatedAugmentation(range(30), seed=0)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 30
    assert all(drawn.count(index) == 3 for index in drawn)
    sampler.set_epoch(1)
    assert list(sampler) != drawn
