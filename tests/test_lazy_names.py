import importlib

import pytest


@pytest.mark.parametrize("name", ["datasets", "evaluation", "visualization"])
def test_every_name_is_found_and_no_other(name: str) -> None:
    package = importlib.import_module(f"vitdet.{name}")
    assert package.__all__
    for one in package.__all__:
        assert getattr(package, one).__module__.startswith(f"vitdet.{name}.")
    with pytest.raises(AttributeError, match=f"'vitdet.{name}' has no attribute 'Nothing'"):
        getattr(package, "Nothing")  # noqa: B009  as code that misspells a name does
