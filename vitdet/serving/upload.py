"""The form of a request, read within limits of bytes."""

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from vitdet.serving.limits import Limits

_MAX_TEXT = 4096  # bytes of a field that is no file


async def read_form(request: Request, limits: Limits) -> bytes | str:
    """The content of the file `image`, or the text of the field `url`.

    A file's name is never looked at. Raises HTTPException if there is neither or both, or
    too much.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(
            415,
            "send a form (multipart/form-data) with the photo as its file `image`",
        )
    limited = Request(request.scope, _Limited(request, limits))
    async with limited.form(max_files=1, max_fields=4, max_part_size=_MAX_TEXT) as form:
        image, url = form.get("image"), form.get("url")
        if isinstance(image, UploadFile) and url is None:
            return await image.read()
        if isinstance(url, str) and image is None:
            return url
    raise HTTPException(422, "send the photo as the file `image` of the form")


class _Limited:
    """What a request receives, until that is too much."""

    def __init__(self, request: Request, limits: Limits) -> None:
        self._request, self._limits = request, limits
        self._num_bytes = int(request.headers.get("content-length", 0))
        self._check()
        self._num_bytes = 0

    async def __call__(self) -> Message:
        message = await self._request.receive()
        self._num_bytes += len(message.get("body", b""))
        self._check()
        return message

    def _check(self) -> None:
        if self._num_bytes > self._limits.max_bytes:
            raise HTTPException(
                413,
                f"the photo has more than {self._limits.megabytes:g} MB: send it smaller",
            )
