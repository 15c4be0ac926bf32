"""A process that works beside this one on what it is handed, and ends with it."""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import IO, Any

_END = None


class SideProcess:
    """Calls what `build` returns on each item, in a process of its own.

    A fresh Python that imports no more than unpickling `build` asks for: not a fork, which would
    copy what its owner's threads were doing, nor one of multiprocessing's, which would import the
    owner's script once more. It ends when its input does, so it never outlives its owner, however
    that ends; Ctrl-C does not reach it.

    Args:
        build: pickled, as are items and what is returned; neither has to be waited for.
    """

    def __init__(self, build: Callable[[], Callable[[Any], Any]]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._items.put(build)
        threading.Thread(
            target=_write, args=(self._items, self._process.stdin), daemon=True
        ).start()
        self.close = weakref.finalize(self, _close, self._process, self._items)

    def put(self, item: Any) -> None:
        """Hand over an item, which is not None and not changed from then on."""
        self._items.put(item)

    def results(self) -> list[Any]:
        """Wait for the end, and return what came of the items, in their order.

        Raises:
            RuntimeError: something failed there, or the process was killed.
        """
        self._items.put(_END)
        try:
            results, failure = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError):
            results, failure = [], f"it ended with exit code {self._process.wait()}"
        finally:
            self.close()
        if failure is not None:
            raise RuntimeError(failure)
        return results


def _write(items: queue.SimpleQueue[Any], pipe: IO[bytes]) -> None:
    with contextlib.suppress(OSError), pipe:  # who reads it may have ended
        item = items.get()
        while item is not _END:
            pickle.dump(item, pipe, protocol=5)
            pipe.flush()
            item = items.get()


def _close(process: subprocess.Popen[bytes], items: queue.SimpleQueue[Any]) -> None:
    process.kill()
    process.wait()
    process.stdout.close()
    items.put(_END)


def _main() -> None:
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what libraries print is no result
    results, failure = [], None
    try:
        work = pickle.load(source)()
        while True:
            try:
                item = pickle.load(source)
            except EOFError:
                break
            results.append(work(item))
    except Exception:
        results, failure = [], traceback.format_exc()
    pickle.dump((results, failure), target, protocol=5)


if __name__ == "__main__":
    _main()
