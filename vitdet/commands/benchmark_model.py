"""`vitdet benchmark-model`."""

import argparse
import re
from typing import Any


def add_benchmark_model(commands: Any) -> None:
    parser = commands.add_parser(
        "benchmark-model",
        help="time a trained model: latency, throughput, memory",
        description="Time a trained model from pixels to results, in PyTorch and as ONNX.",
    )
    parser.add_argument("checkpoint", help="checkpoint, or .onnx file of `vitdet export`")
    parser.add_argument("--out", default="model_speed", metavar="DIR", help="csv, json and plot")
    parser.add_argument(
        "--sizes", nargs="+", type=_size, default=[], metavar="WxH",
        help="of images, such as 640x480 (default: the recipe's)",
    )  # fmt: skip
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4], metavar="N")
    parser.add_argument(
        "--images", nargs="+", default=[], metavar="PHOTO", help="to find things in"
    )
    parser.add_argument("--seconds", type=float, default=10, metavar="S", help="for each case")
    parser.add_argument(
        "--compile", action="store_true", help="time compiled blocks, too: a slow start"
    )
    parser.add_argument("--no-onnx", action="store_true", help="do not export, time PyTorch only")
    parser.add_argument("--threads", type=int, metavar="N", help="of the CPU (default: its cores)")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.set_defaults(run=_benchmark_model)


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{1,5}x\d{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 640x480")
    width, height = map(int, text.split("x"))
    return width, height


def _benchmark_model(arguments: argparse.Namespace) -> None:
    from vitdet.model_benchmark.command import benchmark_model

    benchmark_model(
        arguments.checkpoint,
        arguments.out,
        sizes=arguments.sizes,
        batches=arguments.batches,
        images=arguments.images,
        seconds=arguments.seconds,
        compiled=arguments.compile,
        onnx=not arguments.no_onnx,
        threads=arguments.threads,
        device=arguments.device,
    )
