"""mmcv's own synchronised batch norm where no processes are connected.

Breaks: mmcv (<= 2.1) asks for the number of processes when `MMSyncBN` is built, which raises where
`torch.distributed` is not initialised; torch's `SyncBN` is then a plain batch norm. Delete when
`MMSyncBN` is one, too.
"""

import functools
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


class ThisProcess:
    """A process group of the one process that there is."""

    def size(self) -> int:
        return 1


def _patch(module: ModuleType) -> None:
    layer = module.SyncBatchNorm
    original = layer.__init__

    @functools.wraps(original)
    def init(
        self: Any,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        group: Any = None,
        stats_mode: str = "default",
    ) -> None:
        if group is None and not module.dist.is_initialized():
            group = ThisProcess()
        original(self, num_features, eps, momentum, affine, track_running_stats, group, stats_mode)

    layer.__init__ = init


def install() -> None:
    """Register the patch of mmcv's layer."""
    when_imported("mmcv.ops.sync_bn", _patch)
