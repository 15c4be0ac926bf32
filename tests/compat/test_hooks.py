import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from vitdet.compat.hooks import when_imported


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A library `some_library` with a submodule, importable and not yet imported."""
    package = tmp_path / "some_library"
    package.mkdir()
    (package / "__init__.py").write_text("from some_library.inner import answer\n")
    (package / "inner.py").write_text("def answer():\n    return 41\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "some_library"
    for name in [n for n in sys.modules if n.startswith("some_library")]:
        del sys.modules[name]


def _mend(module: ModuleType) -> None:
    module.answer = lambda: 42


def test_patch_runs_before_anyone_copies_the_name(library: str) -> None:
    when_imported("some_library.inner", _mend)
    assert "some_library" not in sys.modules
    package = importlib.import_module(library)
    assert package.answer() == 42


def test_imported_module_is_patched_at_once(library: str) -> None:
    inner = importlib.import_module("some_library.inner")
    when_imported("some_library.inner", _mend)
    assert inner.answer() == 42


def test_patched_module_keeps_its_own_loader(library: str) -> None:
    when_imported("some_library.inner", _mend)
    inner = importlib.import_module("some_library.inner")
    assert type(inner.__loader__).__name__ == "SourceFileLoader"
    assert inner.__spec__.loader is inner.__loader__


def test_patch_for_a_missing_module_changes_nothing() -> None:
    when_imported("no_such_library_anywhere", _mend)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_library_anywhere")
