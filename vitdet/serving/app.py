"""The addresses of the service."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel
from starlette.exceptions import HTTPException

import vitdet
from vitdet.errors import one_line
from vitdet.serving.answer import Answer, Problem
from vitdet.serving.attention import Attention
from vitdet.serving.model import Model
from vitdet.serving.service import Service

_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'"
)
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": "a JPEG, PNG, WebP, BMP, TIFF or GIF file",
                        },
                    },
                }
            }
        },
    }
}
Share = Annotated[float, Query(ge=0, le=1, description="of the photo's side")]
_PROBLEMS = {
    400: "the form is damaged",
    403: "an address in place of a photo, and none are fetched",
    408: "the photo arrives too slowly",
    413: "too many bytes or pixels",
    415: "no form, or no photo",
    422: "a damaged photo, or a field that is missing or wrong",
    500: "a fault of the service",
    503: "too many photos wait; `Retry-After` says how many seconds they may take",
}


class Health(BaseModel):
    status: str
    waiting: int


def create_app(service: Service, model: Model) -> FastAPI:
    """The service as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPIOffline(
        title="vitdet",
        version=vitdet.__version__,
        description=f"What {model.name} finds in photos. [Try it](/).",
        lifespan=lifespan,
        redoc_url=None,
    )
    _add_errors(app)
    problems = {code: {"model": Problem, "description": why} for code, why in _PROBLEMS.items()}
    page = files("vitdet.serving").joinpath("page.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def try_it() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})

    @app.post("/predict", openapi_extra=_FORM, responses=problems)
    async def predict(
        request: Request,
        score: Annotated[float, Query(ge=0, le=1, description="the least of an object")] = 0.3,
        masks: Annotated[bool, Query(description="whether masks are wanted")] = True,
    ) -> Answer:
        """Find objects in a photo, or classes of its pixels."""
        begin, status = time.perf_counter(), 500
        try:
            answer = await service.predict(request, score, with_masks=masks)
            status = 200
            return answer
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            service.metrics.count_request(status, time.perf_counter() - begin)

    @app.post("/attention", openapi_extra=_FORM, responses=problems)
    async def attention(
        request: Request,
        layer: Annotated[str, Query(description="one of the model's")],
        x: Share,
        y: Share,
        box: Annotated[
            list[float] | None,
            Query(min_length=4, max_length=4, description="of an object: x1, y1, x2, y2 in shares"),
        ] = None,
    ) -> Attention:
        """Say what a place of the photo, or the object found there, attends to."""
        return await service.attend(request, layer, (x, y), box=box and tuple(box))

    @app.get("/model")
    async def describe() -> Model:
        """Say what is served."""
        return model

    @app.get("/health")
    async def health() -> Health:
        """Say whether photos are taken."""
        return Health(status="ok", waiting=service.num_open)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(service.metrics.text(), media_type=service.metrics.content_type)

    return app


def _add_errors(app: FastAPI) -> None:
    """Whatever goes wrong is one line of json."""

    @app.exception_handler(HTTPException)
    async def wrong(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        whats = (f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return _problem(422, "; ".join(whats), {})

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> JSONResponse:  # uvicorn writes it to the log
        return _problem(500, "a fault of the service; its log tells more", {})


def _problem(status: int, message: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": one_line(message)}, status, headers)
