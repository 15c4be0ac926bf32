"""`vitdet predict`."""

import argparse
from pathlib import Path
from typing import Any


def add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="find objects in images, or classes of pixels",
        description="Find objects in images, or classes of pixels. The checkpoint is enough, no "
        "config is needed.",
    )
    parser.add_argument("checkpoint", help="checkpoint file of a vitdet, mmdet or mmseg run")
    parser.add_argument("images", nargs="+", help="image files, folders, patterns, URLs or videos")
    parser.add_argument("--out", default="predictions", help="folder for drawings and json or PNG")
    parser.add_argument("--score-threshold", type=float, default=0.3, metavar="S")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.set_defaults(run=_predict)


def _predict(arguments: argparse.Namespace) -> None:
    from vitdet.prediction_files import predict_files

    predict_files(
        arguments.checkpoint,
        arguments.images,
        out=Path(arguments.out),
        score_threshold=arguments.score_threshold,
        device=arguments.device,
    )
