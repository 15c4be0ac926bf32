from pathlib import Path

import pytest

from vitdet.datasets.formats.file_names import leads_outside
from vitdet.datasets.formats.folder_tree import FolderTree, list_files
from vitdet.datasets.formats.splits import split_of_path


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_hidden_files_are_left_out(tmp_path):
    make(tmp_path, "a.jpg", ".DS_Store", ".git/b.jpg", "__MACOSX/a.jpg", "c/._a.jpg", "c/d.TXT")
    assert list_files(tmp_path) == ["a.jpg", "c/d.TXT"]
    assert FolderTree(tmp_path).with_suffix(".txt") == ["c/d.TXT"]


def test_linked_folders_are_followed_once(tmp_path):
    make(tmp_path, "elsewhere/1.jpg", "data/labels/1.txt")
    (tmp_path / "data/images").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/images/back").symlink_to(tmp_path / "data")
    assert list_files(tmp_path / "data") == ["images/1.jpg", "labels/1.txt"]


class TestImages:
    @pytest.fixture
    def tree(self, tmp_path):
        make(
            tmp_path,
            *(
                f"{kind}/{split}/1.{end}"
                for split in ("train", "val")
                for kind, end in (("images", "jpg"), ("masks", "png"))
            ),
            "images/val/Ä b.JPEG",
            "labels/val/1.txt",
        )
        return FolderTree(tmp_path)

    @pytest.mark.parametrize(
        "text, near, found",
        [
            ("1.jpg", "labels/val/1.txt", "images/val/1.jpg"),
            ("1.jpg", "labels/train/1.txt", "images/train/1.jpg"),
            ("val/1.jpg", "x.json", "images/val/1.jpg"),
            ("C:\\mine\\train\\1.JPG", "labels/val/1.txt", "images/train/1.jpg"),
            ("1.png", "labels/val/1.txt", "masks/val/1.png"),
            ("ä b.jpeg", "", "images/val/Ä b.JPEG"),
            ("2.jpg", "", None),
            ("", "", None),
            ("../..", "", None),
        ],
    )
    def test_by_name(self, tree, text, near, found):
        assert tree.image_by_name(text, near=near) == found

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_by_stem(self, tree, split):
        assert tree.image_by_stem("1", near=f"labels/{split}/1.txt") == f"images/{split}/1.jpg"
        assert tree.image_by_stem("2", near="") is None

    @pytest.mark.parametrize(
        "text, found",
        [
            ("images/train", "images/train"),
            ("./images/train/", "images/train"),
            ("../images/val", "images/val"),
            ("/content/drive/mine/images/val", "images/val"),
            ("D:\\mine\\images", "images"),
            ("images/test", None),
            ("test/images", None),  # `images` alone is not what is meant
            ("/content/nothing", None),
            (".", ""),
        ],
    )
    def test_folders(self, tree, text, found):
        assert tree.folder_by_name(text, near="data.yaml") == found


def test_split_words():
    for name, split in {
        "images/train/1.jpg": "train",
        "Training/1.jpg": "train",
        "val2017/1.jpg": "val",
        "valid/images/1.jpg": "val",
        "validation/x/1.jpg": "val",
        "test_2/1.jpg": "test",
        "train/test/1.jpg": "test",
        "train.jpg": None,
        "trains/1.jpg": None,
        "contest/value/obj_train_data/1.jpg": None,
    }.items():
        assert split_of_path(name) == split, name


def test_names_that_lead_outside():
    assert all(map(leads_outside, ("/a", "../a", "a/../../b", "C:\\a", "c:a", "\\\\server\\a")))
    assert not any(map(leads_outside, ("a", "a/b.jpg", "..a", "a..b/c", ".")))
