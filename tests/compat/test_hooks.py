"""Patches wait for their module; a guard makes a failing import speak plainly."""

import importlib
import sys
from types import ModuleType

import pytest

from vitdet.compat.hooks import guard_import, replace_everywhere, when_imported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `waits` on the path, whose `inner` is re-exported by its `__init__`."""
    folder = tmp_path / "waits"
    folder.mkdir()
    (folder / "__init__.py").write_text("from waits.inner import answer\n")
    (folder / "inner.py").write_text("def answer(): return 1\n")
    (folder / "fails.py").write_text("raise RuntimeError('operator 17 is missing')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "waits"]:
        del sys.modules[name]


def double(module: ModuleType) -> None:
    replace_everywhere(module, "answer", lambda: 2)


def test_patch_applies_on_import_and_before_re_exports(package):
    when_imported("waits.inner", double)
    assert "waits" not in sys.modules
    import waits

    assert waits.answer() == waits.inner.answer() == 2
    assert waits.inner.__spec__.loader.get_source("waits.inner").startswith("def answer")


def test_patch_of_an_imported_module_reaches_its_re_exports(package):
    import waits

    when_imported("waits.inner", double)
    assert waits.answer() == waits.inner.answer() == 2


def test_guard_translates_what_it_knows_and_leaves_the_rest(package):
    translations = {"operator 17 is missing": ValueError("install operator 17")}
    guard_import("waits.fails", lambda error: translations.get(str(error)))
    with pytest.raises(ValueError, match="install operator 17") as caught:
        importlib.import_module("waits.fails")
    assert isinstance(caught.value.__cause__, RuntimeError)
    translations.clear()
    with pytest.raises(RuntimeError, match="operator 17 is missing"):
        importlib.import_module("waits.fails")
