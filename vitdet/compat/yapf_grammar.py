"""Two processes that import mmengine for the first time, at once.

Breaks: mmengine imports yapf, which keeps a parsed grammar in the user's cache. yapf 0.43 renames
the new file into its place before all of it is written, so that another process reads half of it
and ends with an EOFError. Delete when `Grammar.dump` renames a closed file.
"""

import os
import pickle
import tempfile
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


def _dump(grammar: Any, filename: str) -> None:
    """Write the grammar, whole or not at all. Raises OSError, which yapf lets pass."""
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(filename), delete=False) as file:
        pickle.dump(vars(grammar), file, pickle.HIGHEST_PROTOCOL)
    os.replace(file.name, filename)


def _patch(module: ModuleType) -> None:
    module.Grammar.dump = _dump


def install() -> None:
    """Register the patch of yapf's grammar."""
    when_imported("yapf_third_party._ylib2to3.pgen2.grammar", _patch)
