"""What a run remembers of its past numbers: enough for the means that its log shows."""

from collections import OrderedDict

from mmengine.logging import HistoryBuffer, MessageHub

KEPT = 1000
"""Values of each number: twenty times the window of our logs."""


class BoundedHistories(OrderedDict):
    """Histories that forget. mmengine's grow to a million values each, which every step copies
    and every checkpoint holds."""

    def __setitem__(self, name: str, history: HistoryBuffer) -> None:
        history.max_length = min(history.max_length, KEPT)
        super().__setitem__(name, history)


def bound_histories(hub: MessageHub) -> None:
    """Let what `hub` logs from now on be bounded, in place.

    Means over "global" windows, which a config may ask for, are then of the last `KEPT` values;
    `metrics.jsonl` has all of them.
    """
    hub._log_scalars = BoundedHistories(hub._log_scalars)
