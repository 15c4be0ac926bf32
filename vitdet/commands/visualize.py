"""Arguments of `vitdet visualize attention | receptive-field | features | predictions | data`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_visualize(commands: Any) -> None:
    parser = commands.add_parser(
        "visualize",
        help="see what a model attends to, finds and gets wrong",
        description="Draw what goes on inside a model, what it gets wrong, and what it is fed.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="WHAT")
    _add_attention(actions)


def _add_attention(actions: Any) -> None:
    parser = _action(actions, "attention", "what the tokens of a model attend to", _attention)
    parser.add_argument("checkpoint", help="checkpoint file, such as a run's best.pth")
    parser.add_argument("images", nargs="+", help="image files, folders or patterns")
    parser.add_argument(
        "--point",
        type=float,
        nargs=2,
        metavar=("X", "Y"),
        help="the place that asks, as shares of the image's sides (default: 0.5 0.5)",
    )
    parser.add_argument(
        "--layer",
        nargs="+",
        default=[],
        metavar="L",
        help="names of layers, their endings, numbers (-1: the last) or 'all' (default: the last "
        "of each part of the model)",
    )
    parser.add_argument(
        "--head", nargs="+", default=["mean"], metavar="H", help="numbers, 'all' or 'mean' (default)"
    )
    parser.add_argument(
        "--rollout", action="store_true", help="follow attention over all layers, too"
    )
    parser.add_argument(
        "--objects", type=int, default=5, metavar="N", help="of DETR and YOLOS: how many (default 5)"
    )
    parser.add_argument("--score-threshold", type=float, default=0.3, metavar="S")
    _add_output(parser, "attention.png", page="page: click on a photo to see what that place asks")


def _action(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=what, description=f"Draw {what}.")
    parser.set_defaults(run=run)
    return parser


def _add_output(parser: argparse.ArgumentParser, out: str, *, page: str = "page") -> None:
    parser.add_argument("--out", metavar="PNG", help=f"picture to write (default: {out})")
    parser.add_argument("--html", metavar="FILE", help=f"write one self-contained {page}")
    parser.add_argument("--columns", type=int, default=4, metavar="N", help="pictures in a row")
    parser.add_argument("--side", type=int, default=320, metavar="PX", help="size of each picture")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.set_defaults(default_out=out)


def _output(arguments: argparse.Namespace) -> dict[str, Any]:
    """A picture is written unless only a page is asked for."""
    out = arguments.out or (None if arguments.html else arguments.default_out)
    return dict(out=out, html=arguments.html, columns=max(arguments.columns, 1))


def _say(files: Sequence[Path]) -> None:
    sys.stdout.write(f"{' and '.join(str(file) for file in files)} written\n")


def _attention(arguments: argparse.Namespace) -> None:
    from vitdet.insight.attention_pictures import Wish, draw_attention

    wish = Wish(
        point=tuple(arguments.point) if arguments.point else None,
        layers=arguments.layer,
        heads=arguments.head,
        with_rollout=arguments.rollout,
        num_objects=arguments.objects,
        score_threshold=arguments.score_threshold,
        side=arguments.side,
    )
    _say(
        draw_attention(
            arguments.checkpoint,
            arguments.images,
            wish,
            device=arguments.device,
            **_output(arguments),
        )
    )
