"""Requests to stop a training: Ctrl-C, and what schedulers send before they take a machine away."""

import signal
import threading
from types import FrameType

from vitdet.errors import LostProcessError, StoppedError

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
]
_WORKERS_LIVE_ON = 60  # seconds after SIGTERM, while the main process takes its last step


class StopSignals:
    """Notes a request while the context lasts; who trains looks between steps and stops.

    A second Ctrl-C raises KeyboardInterrupt at once. Other signals may come twice: from a scheduler
    and from torchrun.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        self.received = None
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, LostProcessError):
            return  # launchers end the other processes, too: this one says why first
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or signal.Signals(number)

    def stop(self) -> None:
        """End the training.

        Raises:
            KeyboardInterrupt: Ctrl-C asked for it.
            StoppedError: another signal did, of this process or of another one.
        """
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        raise StoppedError(self.received.name if self.received else "a signal to another process")


def leave_signals_to_main() -> None:
    """In a loader's worker: signals sent to all processes of a run are the main one's to handle.

    It needs its workers until its last step is done. A worker that is left over ends by itself.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_WORKERS_LIVE_ON))
