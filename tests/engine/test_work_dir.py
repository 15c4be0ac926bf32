from pathlib import Path

import pytest

from vitdet.engine.work_dir import LAST, choose_work_dir
from vitdet.errors import UserError


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def leave_run(folder: str) -> None:
    Path(folder).mkdir(parents=True)
    Path(folder, LAST).touch()


def test_first_run_takes_the_config_name() -> None:
    assert choose_work_dir("swin", None, resume=False) == Path("work_dirs/swin")


def test_later_runs_get_numbered_siblings() -> None:
    leave_run("work_dirs/swin")
    assert choose_work_dir("swin", None, resume=False) == Path("work_dirs/swin_2")
    leave_run("work_dirs/swin_2")
    assert choose_work_dir("swin", None, resume=False) == Path("work_dirs/swin_3")


def test_a_folder_without_checkpoints_is_used_again() -> None:
    Path("work_dirs/swin").mkdir(parents=True)
    assert choose_work_dir("swin", None, resume=False) == Path("work_dirs/swin")


def test_resume_goes_on_in_the_newest_sibling() -> None:
    leave_run("work_dirs/swin")
    leave_run("work_dirs/swin_2")
    assert choose_work_dir("swin", None, resume=True) == Path("work_dirs/swin_2")


def test_explicit_folder_with_checkpoints_is_refused() -> None:
    leave_run("mine")
    with pytest.raises(UserError, match=r"mine holds checkpoints.*--resume"):
        choose_work_dir("swin", "mine", resume=False)
    assert choose_work_dir("swin", "mine", resume=True) == Path("mine")
    assert Path("mine", LAST).exists()
