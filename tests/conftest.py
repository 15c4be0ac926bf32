"""Fixtures for the whole suite."""

from pathlib import Path

import pytest

import vitdet  # noqa: F401  mmdet cannot be imported before it


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; a user's clone has none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the data sets in ../shared/data, which are not part of the repository")
    return folder
