"""The last good checkpoint survives a full disk, an interrupt and a failing write."""

import subprocess
import sys

import mmengine.runner.checkpoint
import pytest
import torch

from vitdet.checkpoints.files import read_checkpoint, write_checkpoint
from vitdet.compat import checkpoint_saving
from vitdet.errors import UserError

OLD = {"w": torch.zeros(3)}
NEW = {"w": torch.ones(200_000)}
both_doors = pytest.mark.parametrize(
    "save", [write_checkpoint, mmengine.runner.save_checkpoint], ids=["ours", "mmengine"]
)


def assert_old_file_stands(folder):
    assert torch.equal(read_checkpoint(folder / "last.pth")["w"], OLD["w"])
    assert [path.name for path in folder.iterdir()] == ["last.pth"], "no temporary file is left"


@both_doors
def test_replaces_the_file_and_leaves_nothing_else(tmp_path, save):
    path = str(tmp_path / "new folder" / "last.pth")
    for checkpoint in (OLD, NEW):
        save(checkpoint, path)
        assert torch.equal(read_checkpoint(path)["w"], checkpoint["w"])
    assert [entry.name for entry in (tmp_path / "new folder").iterdir()] == ["last.pth"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_full_disk(tmp_path):
    """The limit on file sizes fails a write as a full disk does.

    mmengine is imported before vitdet here, so the patch must reach what was already taken from it.
    """
    write_checkpoint(OLD, tmp_path / "last.pth")
    script = """if True:
        import resource, sys
        import torch
        from mmengine.runner import save_checkpoint
        from vitdet.errors import UserError
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            save_checkpoint({"w": torch.ones(200_000)}, sys.argv[1])
        except UserError as error:
            sys.exit(str(error))
    """
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "last.pth"], capture_output=True, text=True
    )
    assert "last.pth: cannot be written (File too large)" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert_old_file_stands(tmp_path)


@both_doors
@pytest.mark.parametrize("error", [KeyboardInterrupt(), TypeError("a bug")], ids=repr)
def test_interrupt_keeps_its_kind(tmp_path, monkeypatch, save, error):
    write_checkpoint(OLD, tmp_path / "last.pth")

    def flush_fails(descriptor):
        raise error

    monkeypatch.setattr(checkpoint_saving.os, "fsync", flush_fails)
    with pytest.raises(type(error)):
        save(NEW, str(tmp_path / "last.pth"))
    assert_old_file_stands(tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/last.pth: cannot be written"):
        write_checkpoint(OLD, tmp_path / "file" / "last.pth")


def test_what_cannot_be_pickled_is_a_bug_not_a_user_error(tmp_path):
    write_checkpoint(OLD, tmp_path / "last.pth")
    with pytest.raises(Exception, match="pickle") as caught:
        write_checkpoint({"f": lambda: None}, tmp_path / "last.pth")
    assert not isinstance(caught.value, UserError)
    assert_old_file_stands(tmp_path)
