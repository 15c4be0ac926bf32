"""Memory that Python has freed and the system has not got back."""

import ctypes
import sys


def return_freed_memory() -> None:
    """Return it now, after millions of small objects have gone: glibc keeps it for later use.

    Loader workers that are forked afterwards would inherit it and, as they write, copy it.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in other C libraries
        if trim is not None:
            trim(0)
