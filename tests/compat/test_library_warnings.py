import warnings

import mmdet.models  # noqa: F401  its import, or a later `install`, sets the filter
import torch

from vitdet.compat import library_warnings


def test_the_order_that_mmdet_s_meshgrid_leaves_open_is_not_warned_about() -> None:
    def warned() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            torch.meshgrid(torch.arange(2), torch.arange(2))
        return [str(one.message) for one in caught]

    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert any("indexing argument" in message for message in warned())
            library_warnings.install()
            assert warned() == []
    finally:
        torch.set_warn_always(False)
