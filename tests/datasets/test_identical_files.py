import os
from pathlib import Path

from vitdet.datasets.identical_files import groups_of_identical


def test_only_files_of_the_same_bytes_are_one_group(tmp_path: Path) -> None:
    contents = [
        b"a" * 9000,
        b"b" + b"a" * 8999,  # of the same length and end
        b"a" * 8999 + b"b",
        b"a" * 9001,
        b"a" * 9000,
        b"",
        b"",
        b"b" + b"a" * 8999,
    ]
    paths = [tmp_path / str(k) for k in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert groups_of_identical(paths) == [0, 1, 2, 3, 0, 5, 5, 1]


def test_what_cannot_be_read_has_no_equal(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    names = ["folder", "dangling", "missing", "missing", "nul\0", "folder", "pipe", "pipe"]
    assert groups_of_identical([tmp_path / name for name in names]) == list(range(8))


def test_no_copy_of_a_raccoon_is_on_both_sides(shared_data: Path) -> None:
    images = sorted((shared_data / "raccoon" / "images").iterdir())
    groups = groups_of_identical(images)
    assert len(images) - len(set(groups)) == sum(
        any(one.read_bytes() == other.read_bytes() for other in images[:k])
        for k, one in enumerate(images)
        if any(one.stat().st_size == other.stat().st_size for other in images[:k])
    )
    assert len(set(groups)) < len(images)
