"""`vitdet serve`."""

import argparse
from typing import Any


def add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="answer over HTTP, with a page to try a model",
        description="Answer over HTTP what a model finds in photos. A page to try it is at /, the "
        "API at /docs.",
    )
    parser.add_argument("checkpoint", help="checkpoint, or .onnx file of `vitdet export`")
    parser.add_argument("--host", default="127.0.0.1", help="address (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="photos at a time")
    parser.add_argument(
        "--waiting", type=int, default=64, metavar="N", help="requests taken on at a time"
    )
    parser.add_argument("--megabytes", type=float, default=20, metavar="MB", help="of a photo")
    parser.add_argument("--megapixels", type=float, default=50, metavar="MP", help="of a photo")
    parser.add_argument(
        "--seconds", type=float, default=30, metavar="S", help="for an answer, the upload included"
    )
    parser.add_argument(
        "--allow-urls", action="store_true", help="fetch photos from addresses that clients give"
    )
    parser.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> None:
    from vitdet.serving.command import serve
    from vitdet.serving.limits import Limits

    limits = Limits(
        megabytes=arguments.megabytes,
        megapixels=arguments.megapixels,
        seconds=arguments.seconds,
        waiting=arguments.waiting,
        batch=arguments.batch,
    )
    serve(
        arguments.checkpoint,
        host=arguments.host,
        port=arguments.port,
        device=arguments.device,
        limits=limits,
        allow_urls=arguments.allow_urls,
    )
