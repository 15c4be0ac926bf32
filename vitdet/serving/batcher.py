"""Photos of several requests go through the model together."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from vitdet.inference import Prediction, Predictor

Result = TypeVar("Result")
Observer = Callable[[int, float], None]


class Batcher:
    """Gives the model what has arrived while it was busy.

    A batch holds photos of one size, so that none is padded for another's sake; nothing waits for a
    batch to fill. The model has a thread of its own.

    Args:
        predictor: the model.
        max_batch: photos that it is given at a time.
        observe: called after each batch with its number of photos and seconds.
    """

    def __init__(
        self, predictor: Predictor, max_batch: int, *, observe: Observer = lambda *_: None
    ) -> None:
        self.predictor = predictor
        self.max_batch = max_batch
        self.observe = observe
        self._waiting: deque[tuple[np.ndarray, asyncio.Future[Prediction]]] = deque()
        self._has_come = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    async def predict(self, pixels: np.ndarray) -> Prediction:
        """What is found in (H, W, 3) uint8 RGB pixels. Raises what the predictor raises.

        Cancelled before its turn, a photo never reaches the model.
        """
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._waiting.append((pixels, future))
        self._has_come.set()
        return await future

    async def run_alone(self, work: Callable[[], Result]) -> Result:
        """Call `work` between two batches, in the model's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._has_come.wait()
            await self._run_batch()  # a frame of its own: nothing keeps pixels and masks after it

    async def _run_batch(self) -> None:
        batch = self._next_batch()
        if not batch:
            self._has_come.clear()
            return
        begin = time.perf_counter()
        images = [pixels for pixels, _ in batch]
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._thread, self._predict_all, images)
        self.observe(len(batch), time.perf_counter() - begin)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def close(self) -> None:
        """Wait for the batch that the model has, and end its thread."""
        self._thread.shutdown()

    def _next_batch(self) -> list[tuple[np.ndarray, "asyncio.Future[Prediction]"]]:
        """The photo that has waited longest and others of its size, in their order."""
        batch, others = [], deque()
        while self._waiting and len(batch) < self.max_batch:
            pixels, future = self._waiting.popleft()
            if future.cancelled():
                continue
            if batch and pixels.shape != batch[0][0].shape:
                others.append((pixels, future))
            else:
                batch.append((pixels, future))
        self._waiting.extendleft(reversed(others))
        return batch

    def _predict_all(self, images: Sequence[np.ndarray]) -> list[Prediction | Exception]:
        """A prediction or what went wrong, for each image: none fails for another."""
        try:
            return self.predictor(images, batch_size=len(images))
        except Exception as error:
            if len(images) == 1:
                return [error]
        return [outcome for one in images for outcome in self._predict_all([one])]
