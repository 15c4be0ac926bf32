"""What a training does about signals, and its workers."""

import multiprocessing
import os
import signal
import time

import pytest

from vitdet.engine.stop_signals import StopSignals, leave_signals_to_main
from vitdet.errors import StoppedError


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_waits_until_someone_looks() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        send(signal.SIGUSR1)
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert signals.received == signal.SIGUSR1
        with pytest.raises(StoppedError, match="SIGUSR1"):
            signals.stop()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_ctrl_c_does_not_wait() -> None:
    with StopSignals() as signals:
        send(signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signals.stop()


def test_a_new_training_has_received_nothing() -> None:
    signals = StopSignals()
    for _ in range(2):
        with signals:
            assert signals.received is None
            send(signal.SIGTERM)


def _work(started: "multiprocessing.synchronize.Event") -> None:
    leave_signals_to_main()
    started.set()
    time.sleep(60)


def test_a_worker_lives_on_until_its_main_process_is_done() -> None:
    context = multiprocessing.get_context("fork")
    started = context.Event()
    worker = context.Process(target=_work, args=(started,), daemon=True)
    worker.start()
    try:
        assert started.wait(30)
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
            os.kill(worker.pid, number)
        worker.join(0.3)
        assert worker.is_alive()
        os.kill(worker.pid, signal.SIGALRM)  # what it has set itself for a minute later
        worker.join(30)
        assert worker.exitcode == -signal.SIGALRM
    finally:
        worker.kill()
