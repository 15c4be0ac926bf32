"""What happens to one request, from its form to its answer."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from vitdet.datasets.image_sources import fetch
from vitdet.errors import UserError
from vitdet.inference import Predictor
from vitdet.serving.answer import Answer, answer_of
from vitdet.serving.attention import Attention, Box, attend, layers_to_ask
from vitdet.serving.batcher import Batcher, Result
from vitdet.serving.limits import Limits
from vitdet.serving.metrics import Metrics
from vitdet.serving.photo import decode_photo, shrink
from vitdet.serving.upload import read_form


class Service:
    """A model that answers requests, as many at a time as its limits say.

    Args:
        predictor: the model.
        limits: what a request may ask for.
        allow_urls: whether photos are fetched from addresses that requests give.
    """

    def __init__(self, predictor: Predictor, limits: Limits, *, allow_urls: bool = False) -> None:
        self.limits, self.allow_urls = limits, allow_urls
        self.layers = layers_to_ask(predictor)
        self.batcher = Batcher(predictor, limits.batch, observe=self._observe)
        self.metrics = Metrics(lambda: self.batcher.num_waiting)
        self.num_open = 0
        # Photos are decoded, and masks coded, for the next batch and this one only.
        self._unpacked = asyncio.Semaphore(2 * limits.batch)
        self._seconds_of_photo = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Within this block photos go through the model."""
        work = asyncio.create_task(self.batcher.run())
        try:
            yield
        finally:
            work.cancel()
            self.batcher.close()

    async def predict(self, request: Request, score: float, *, with_masks: bool) -> Answer:
        """What is found in the photo that a request brings, scored `score` or more.

        Raises HTTPException, which says what is wrong with the request, or that there are too many.
        """

        async def work(pixels: np.ndarray, size: tuple[int, int]) -> Answer:
            prediction = (await self.batcher.predict(pixels)).filter(score)
            return await asyncio.to_thread(answer_of, prediction, size, with_masks=with_masks)

        begin = time.perf_counter()
        answer = await self._work_on_photo(request, work)
        seconds = time.perf_counter() - begin
        return answer.model_copy(update={"seconds": round(seconds, 4)})

    async def attend(
        self, request: Request, layer: str, point: tuple[float, float], *, box: Box | None
    ) -> Attention:
        """What an object or place of the photo attends to; `attention.attend` has the arguments.

        Raises HTTPException as `predict` does.
        """
        if layer not in self.layers:
            there = ", ".join(self.layers) or "none"
            raise HTTPException(422, f"layer: {layer} is none to ask; there is {there}")

        async def work(pixels: np.ndarray, _: tuple[int, int]) -> Attention:
            predictor = self.batcher.predictor
            ask = partial(attend, predictor, pixels, layer=layer, point=point, box=box)
            return await self.batcher.run_alone(ask)

        return await self._work_on_photo(request, work)

    async def _work_on_photo(
        self,
        request: Request,
        work: Callable[[np.ndarray, tuple[int, int]], Awaitable[Result]],
    ) -> Result:
        """What `work` makes of the photo's pixels, shrunk, and the size (H, W) it came with."""
        if self.num_open >= self.limits.waiting:
            raise self._busy(f"{self.num_open} photos are waiting already")
        self.num_open += 1
        deadline = asyncio.get_running_loop().time() + self.limits.seconds
        try:
            content = await self._content(request, deadline)
            async with asyncio.timeout_at(deadline), self._unpacked:
                pixels = await asyncio.to_thread(decode_photo, content, self.limits)
                size = pixels.shape[:2]
                pixels = await asyncio.to_thread(shrink, pixels, self.limits.max_side)
                return await work(pixels, size)
        except TimeoutError:
            raise self._busy(f"there was no answer in {self.limits.seconds:g} s") from None
        except UserError as error:
            raise HTTPException(422, str(error)) from error
        finally:
            self.num_open -= 1

    async def _content(self, request: Request, deadline: float) -> bytes:
        """The bytes of the photo, uploaded or fetched."""
        try:
            async with asyncio.timeout_at(deadline):
                given = await read_form(request, self.limits)
        except TimeoutError:
            raise HTTPException(
                408,
                f"the photo took more than {self.limits.seconds:g} s to arrive: send it smaller",
            ) from None
        except ClientDisconnect:
            raise HTTPException(400, "the photo never came to its end") from None
        if isinstance(given, bytes):
            return given
        if not self.allow_urls:
            raise HTTPException(
                403,
                "this service fetches no addresses (it was started without --allow-urls): send "
                "the photo itself as the file `image`",
            )
        async with asyncio.timeout_at(deadline):
            return await asyncio.to_thread(fetch, given, max_bytes=self.limits.max_bytes)

    def _observe(self, num_photos: int, seconds: float) -> None:
        self.metrics.count_batch(num_photos, seconds)
        self._seconds_of_photo = seconds / num_photos

    def _busy(self, why: str) -> HTTPException:
        seconds = math.ceil(self._seconds_of_photo * self.num_open)
        return HTTPException(503, f"{why}: come again", {"Retry-After": str(max(1, seconds))})
