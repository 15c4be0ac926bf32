import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def _mmdets_scope():
    """mmdet's parts look up their own parts by name."""
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield
