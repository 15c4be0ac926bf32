"""Results of an evaluation in several processes reach the first one over the network.

Breaks: mmengine (<= 0.10) hands them over in files of a folder `.dist_test` in the current folder,
which stays behind; it must be writable, and one folder for all machines.
Delete when mmengine gathers what lies on the host without files.
"""

import functools
from itertools import chain, zip_longest
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import replace_everywhere, when_imported

_NOTHING = object()


def _gather(part: list, size: int) -> list | None:
    """What all processes hold, in turn, without the padding beyond `size`; None in all but one."""
    from torch import distributed

    is_first = distributed.get_rank() == 0
    parts: list | None = [None] * distributed.get_world_size() if is_first else None
    distributed.gather_object(part, parts, group=_host_group(distributed.group.WORLD))
    if parts is None:
        return None
    in_turn = chain.from_iterable(zip_longest(*parts, fillvalue=_NOTHING))
    return [one for one in in_turn if one is not _NOTHING][:size]


@functools.lru_cache(maxsize=1)
def _host_group(world: Any) -> Any:
    """A group of all processes whose messages stay on the host."""
    from torch import distributed

    has_gloo = distributed.get_backend(world) == "gloo"
    return world if has_gloo else distributed.new_group(backend="gloo")


def _patch(module: ModuleType) -> None:
    original = module.collect_results_cpu

    @functools.wraps(original)
    def collect_results_cpu(result_part: list, size: int, tmpdir: str | None = None) -> list | None:
        if tmpdir is None and module.get_world_size() > 1:
            return _gather(result_part, size)
        return original(result_part, size, tmpdir)

    replace_everywhere(module, "collect_results_cpu", collect_results_cpu)


def install() -> None:
    """Register the patch of `mmengine.dist.dist`."""
    when_imported("mmengine.dist.dist", _patch)
