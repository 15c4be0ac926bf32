"""`vitdet inspect`, `vitdet export` and `vitdet publish`: what takes a checkpoint."""

import argparse
import sys
from typing import Any


def add_inspect(commands: Any) -> None:
    parser = commands.add_parser(
        "inspect",
        help="say what a checkpoint is",
        description="Say which model, size and layout a checkpoint is, and what it fits.",
    )
    parser.add_argument("checkpoint", help="checkpoint file or URL, in any published layout")
    parser.add_argument(
        "config", nargs="?", help="config file or name: say what would load into its model"
    )
    parser.set_defaults(run=_inspect)


def add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a trained model for another runtime",
        description="Write a trained model as ONNX, or as torch.export saves it, and check it.",
    )
    parser.add_argument("checkpoint", help="checkpoint file, such as a run's best.pth")
    parser.add_argument("--out", metavar="FILE", help="default: beside the checkpoint")
    parser.add_argument("--format", choices=("onnx", "torch_export"), default="onnx")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"), help="of the input (default: the recipe's)"
    )
    parser.add_argument("--dynamic", action="store_true", help="images of any size, for detectors")
    parser.add_argument(
        "--fp16", action="store_true", help="half precision: a file of half the size"
    )
    parser.add_argument(
        "--images", nargs="+", default=[], metavar="PHOTO", help="to check the file with"
    )
    parser.set_defaults(run=_export)


def add_publish(commands: Any) -> None:
    parser = commands.add_parser(
        "publish",
        help="write a trained model as files to hand on",
        description="Write weights, config and class names of a checkpoint without all that only "
        "its training needs, a json file and a model card.",
    )
    parser.add_argument("checkpoint", help="checkpoint file, such as a run's best.pth")
    parser.add_argument("--out", default="published", metavar="DIR", help="folder to write to")
    parser.add_argument("--format", choices=("safetensors", "pth"), default="safetensors")
    parser.set_defaults(run=_publish)


def _inspect(arguments: argparse.Namespace) -> None:
    from vitdet.checkpoints.inspection import inspect_checkpoint

    summary = inspect_checkpoint(arguments.checkpoint)
    sys.stdout.write(f"{summary}\n")
    if arguments.config is not None:
        from vitdet.engine.checkpoint_fit import describe_fit

        sys.stdout.write(f"  {describe_fit(summary, arguments.config)}\n")


def _export(arguments: argparse.Namespace) -> None:
    from vitdet.deploy.export import export

    export(
        arguments.checkpoint,
        arguments.out,
        file_format=arguments.format,
        size=tuple(arguments.size) if arguments.size else None,
        dynamic=arguments.dynamic,
        half=arguments.fp16,
        images=arguments.images,
    )


def _publish(arguments: argparse.Namespace) -> None:
    from vitdet.checkpoints.publishing import publish

    file = publish(arguments.checkpoint, arguments.out, file_format=arguments.format)
    sys.stdout.write(f"{file}, with its .json and .md\n")
