"""Which checkpoint a run goes on from, and whether it is whole."""

import os
from pathlib import Path

import pytest
import torch

from vitdet.engine.checkpoint_files import (
    damage_of,
    drop_previous,
    newest_checkpoint,
    promote_next,
    remove_leftovers,
    set_aside,
)
from vitdet.errors import UserError


def save(path: Path, number: int) -> Path:
    torch.save({"number": torch.full((1000,), number)}, path)
    return path


def number_in(path: Path) -> int:
    return int(torch.load(path)["number"][0])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"\x03\x00\x00\x00\x00\x00\x00\x00") + 800] ^= 4
    path.write_bytes(content)


def test_a_file_of_torch_is_whole(tmp_path: Path) -> None:
    assert damage_of(save(tmp_path / "last.pth", 1)) is None


def test_a_flipped_bit_is_found_where_torch_loads_it(tmp_path: Path) -> None:
    path = save(tmp_path / "last.pth", 3)
    flip_a_bit(path)
    assert torch.load(path)["number"].unique().tolist() != [3]
    assert "checksum" in damage_of(path)


@pytest.mark.parametrize("length", [0, 1, 1000, -1])
def test_a_file_that_is_cut_off_is_found(length: int, tmp_path: Path) -> None:
    path = save(tmp_path / "last.pth", 1)
    path.write_bytes(path.read_bytes()[:length])
    assert "cut off" in damage_of(path)


def test_the_last_n_are_kept_in_order(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "next.pth", number)
        promote_next(tmp_path, keep=3)
    names = ("last.pth", "last.1.pth", "last.2.pth")
    assert [number_in(tmp_path / name) for name in names] == [4, 3, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_one_file_is_kept_if_so_wished(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "next.pth", number)
        promote_next(tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["last.pth"]


@pytest.mark.parametrize("died_at", range(3))
def test_wherever_a_save_is_ended_the_newest_whole_file_is_found(
    died_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        save(tmp_path / "next.pth", number)
        promote_next(tmp_path, keep=3)
    save(tmp_path / "next.pth", 3)
    renamed, replace = [], os.replace

    def replace_or_die(*paths: Path) -> None:
        if len(renamed) == died_at:
            raise KeyboardInterrupt
        renamed.append(paths)
        replace(*paths)

    monkeypatch.setattr(os, "replace", replace_or_die)
    with pytest.raises(KeyboardInterrupt):
        promote_next(tmp_path, keep=3)
    path, skipped = newest_checkpoint(tmp_path)
    assert number_in(path) == 3 and not skipped


def test_damaged_files_are_skipped_by_name(tmp_path: Path) -> None:
    save(tmp_path / "last.pth", 3)
    flip_a_bit(tmp_path / "last.pth")
    (tmp_path / "last.1.pth").write_bytes(b"half")
    save(tmp_path / "last.10.pth", 10)
    save(tmp_path / "last.2.pth", 2)
    path, skipped = newest_checkpoint(tmp_path)
    assert path.name == "last.2.pth"
    damaged = [tmp_path / name for name in ("last.pth", "last.1.pth")]
    assert list(skipped) == damaged
    assert "checksum" in skipped[damaged[0]] and "cut off" in skipped[damaged[1]]
    for path in damaged:
        assert set_aside(path).is_file()
    assert newest_checkpoint(tmp_path) == (tmp_path / "last.2.pth", {})


def test_without_a_whole_file_nothing_is_resumed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint .*last.pth; leave --resume out"):
        newest_checkpoint(tmp_path)
    (tmp_path / "last.pth").write_bytes(b"half")
    with pytest.raises(UserError, match=r"is whole \(last.pth: it is cut off"):
        newest_checkpoint(tmp_path)


def test_room_is_made_only_while_the_last_is_there(tmp_path: Path) -> None:
    save(tmp_path / "last.1.pth", 1)
    assert not drop_previous(tmp_path)
    save(tmp_path / "last.pth", 2)
    assert drop_previous(tmp_path) and not drop_previous(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.pth"]


def test_what_a_killed_process_leaves_is_removed(tmp_path: Path) -> None:
    for name in (".next.pth.123.tmp", ".best.pth.9.tmp"):
        (tmp_path / name).touch()
    save(tmp_path / "best.pth", 1)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best.pth"]
