from pathlib import Path

import pytest

import vitdet.zoo.check


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a config and makes its name one of the zoo's, also in processes forked from here."""

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    monkeypatch.setattr(vitdet.zoo.check, "find_zoo_config", lambda name: tmp_path / f"{name}.py")
    return write
