"""`vitdet serve`: a model behind HTTP until it is told to stop."""

import ipaddress
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vitdet.errors import UserError
from vitdet.inference import Predictor
from vitdet.serving.limits import Limits

if TYPE_CHECKING:
    from vitdet.serving.model import Model

_PACKAGES = ("fastapi", "fastapi_offline", "prometheus_client", "python_multipart", "uvicorn")


def serve(
    checkpoint: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    device: str | None = None,
    limits: Limits | None = None,
    allow_urls: bool = False,
) -> None:
    """Answer requests until SIGINT or SIGTERM comes; those that are open then are finished.

    Args:
        checkpoint: as `Predictor` takes it.
        host: address to listen at; the default one is reached from this machine only.
        port: of it; 0 for any that is free.
        device: "cpu", "cuda" or "mps"; by default the best there is.
        limits: what requests may ask for.
        allow_urls: whether photos are fetched from addresses that requests give.

    Raises:
        UserError: as `Predictor` does; a package is missing; the port is taken.
    """
    for package in _PACKAGES:
        try:
            __import__(package)
        except ImportError:
            raise UserError(f"serve needs {package}: pip install 'vitdet[serve]'") from None
    import uvicorn

    from vitdet.serving.app import create_app
    from vitdet.serving.model import describe
    from vitdet.serving.service import Service

    listener = _listen(host, port)  # a taken port is known before the model is read
    limits = limits or Limits()
    predictor = Predictor(checkpoint, device)
    model = describe(predictor, Path(checkpoint).name, limits)
    app = create_app(Service(predictor, limits, allow_urls=allow_urls), model)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )  # fmt: skip
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a line for each damaged form
    _say_hello(model, listener)
    # uvicorn stops in order and then raises the signal again: there is nothing left to end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])
    sys.stdout.write("stopped\n")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"port {port} of {host} cannot be listened at ({reason}): give another --port or --host"
        ) from None


def _say_hello(model: "Model", listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    lines = [
        f"{model.name} ({len(model.classes)} classes) answers at {address}/, with its page; API: "
        f"{address}/docs; Ctrl-C ends it\n"
    ]
    if not ipaddress.ip_address(host).is_loopback:
        lines.append("whoever reaches this address may use it: nobody is asked for a password\n")
    sys.stdout.writelines(lines)
    sys.stdout.flush()
