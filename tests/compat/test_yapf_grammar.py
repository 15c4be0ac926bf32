"""A grammar in yapf's cache is whole from the moment that it is there."""

import os
from pathlib import Path

import mmengine  # noqa: F401  imports yapf
import pytest
from yapf_third_party._ylib2to3 import pygram
from yapf_third_party._ylib2to3.pgen2.grammar import Grammar


def test_whole_when_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(function):
        def renamed(source: str, target: str) -> None:
            function(source, target)
            grammar = Grammar()
            grammar.load(target)
            seen.append(vars(grammar) == vars(pygram.pattern_grammar))

        return renamed

    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, look(getattr(os, name)))
    pygram.pattern_grammar.dump(str(tmp_path / "grammar.pickle"))
    assert seen == [True] and len(list(tmp_path.iterdir())) == 1
