"""Figures of a running service, in Prometheus' text format."""

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counts of one service; two in one process do not add up.

    `num_waiting` tells how many photos wait for the model.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, num_waiting: Callable[[], int]) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "vitdet_requests", "Requests to /predict by HTTP status", ["status"], registry=registry
        )
        self._seconds = Histogram(
            "vitdet_request_seconds",
            "From a request's arrival to its answer, of those that were answered with 200",
            buckets=_SECONDS,
            registry=registry,
        )
        self._model_seconds = Histogram(
            "vitdet_model_seconds", "The model's time for a batch", buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._batch = Histogram(
            "vitdet_batch_photos", "Photos in a batch", buckets=_SIZES, registry=registry
        )
        waiting = Gauge(
            "vitdet_waiting_photos", "Photos that wait for the model", registry=registry
        )
        waiting.set_function(num_waiting)

    def count_request(self, status: int, seconds: float) -> None:
        self._requests.labels(str(status)).inc()
        if status == 200:
            self._seconds.observe(seconds)

    def count_batch(self, num_photos: int, seconds: float) -> None:
        self._batch.observe(num_photos)
        self._model_seconds.observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)
