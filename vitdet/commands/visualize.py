"""Arguments of `vitdet visualize attention | receptive-field | features | predictions | data`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitdet.commands.train import add_config_arguments, load_given_config


def add_visualize(commands: Any) -> None:
    parser = commands.add_parser(
        "visualize",
        help="see what a model attends to, finds and gets wrong",
        description="Draw what goes on inside a model, what it gets wrong, and what it is fed.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="WHAT")
    _add_attention(actions)
    _add_receptive_field(actions)
    _add_features(actions)
    _add_predictions(actions)
    _add_data(actions)


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
        "--head",
        nargs="+",
        default=["mean"],
        metavar="H",
        help="numbers, 'all' or 'mean' (default)",
    )
    parser.add_argument(
        "--rollout", action="store_true", help="follow attention over all layers, too"
    )
    parser.add_argument(
        "--objects",
        type=int,
        default=5,
        metavar="N",
        help="of DETR and YOLOS: how many (default 5)",
    )
    parser.add_argument("--score-threshold", type=float, default=0.3, metavar="S")
    _add_output(parser, "attention.png", page="page: click on a photo to see what that place asks")


def _add_receptive_field(actions: Any) -> None:
    parser = _action(
        actions, "receptive-field", "how far the stages of backbones see", _receptive_field
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="checkpoint (before and after training), config or name, such as swin-tiny",
    )
    parser.add_argument(
        "--images", nargs="+", default=[], metavar="PHOTO", help="default: generated ones"
    )
    parser.add_argument("--num-images", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument("--size", type=int, default=224, metavar="PX", help="of the input")
    _add_output(parser, "receptive_field.png", side=200)


def _add_features(actions: Any) -> None:
    parser = _action(actions, "features", "feature maps as colours", _features)
    parser.add_argument("checkpoint", help="checkpoint file, such as a run's best.pth")
    parser.add_argument("images", nargs="+", help="image files, folders or patterns")
    _add_output(parser, "features.png", side=240, columns=5)


def _add_data(actions: Any) -> None:
    parser = _action(actions, "data", "training batches as the model sees them", _data)
    parser.add_argument("config", help="config file, or the name of one that ships with vitdet")
    add_config_arguments(parser)
    parser.add_argument("--batches", type=int, default=1, metavar="N", help="how many (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    _add_output(parser, "data.png", has_device=False)


def _add_predictions(actions: Any) -> None:
    parser = _action(actions, "predictions", "predictions beside labels, errors marked", _errors)
    parser.add_argument("config", help="config file, or the name of one that ships with vitdet")
    parser.add_argument("checkpoint", help="checkpoint file, such as a run's best.pth")
    add_config_arguments(parser)
    parser.add_argument("--images", type=int, default=8, metavar="N", help="how many (default 8)")
    parser.add_argument(
        "--worst", action="store_true", help="judge all test images and draw the worst of them"
    )
    parser.add_argument("--score-threshold", type=float, default=0.3, metavar="S")
    _add_output(parser, "predictions.png", side=480, columns=2)


def _action(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=what, description=f"Draw {what}.")
    parser.set_defaults(run=run)
    return parser


def _add_output(
    parser: argparse.ArgumentParser,
    out: str,
    *,
    page: str = "page",
    side: int = 320,
    columns: int = 4,
    has_device: bool = True,
) -> None:
    parser.add_argument("--out", metavar="PNG", help=f"picture to write (default: {out})")
    parser.add_argument("--html", metavar="FILE", help=f"write one self-contained {page}")
    parser.add_argument(
        "--columns", type=int, default=columns, metavar="N", help="pictures in a row"
    )
    parser.add_argument("--side", type=int, default=side, metavar="PX", help="size of each picture")
    if has_device:
        parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.set_defaults(default_out=out)


def _output(arguments: argparse.Namespace) -> dict[str, Any]:
    """A picture is written unless only a page is asked for."""
    out = arguments.out or (None if arguments.html else arguments.default_out)
    output = dict(out=out, html=arguments.html, columns=max(arguments.columns, 1))
    return output | ({"device": arguments.device} if "device" in arguments else {})


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
            **_output(arguments),
        )
    )


def _errors(arguments: argparse.Namespace) -> None:
    from vitdet.insight.error_pictures import draw_errors

    files, counts = draw_errors(
        load_given_config(arguments),
        arguments.checkpoint,
        num_images=arguments.images,
        worst=arguments.worst,
        score_threshold=arguments.score_threshold,
        side=arguments.side,
        **_output(arguments),
    )
    sys.stdout.write("".join(f"{number:6d} {kind}\n" for kind, number in counts.items()))
    _say(files)


def _receptive_field(arguments: argparse.Namespace) -> None:
    from vitdet.insight.receptive_field_pictures import draw_receptive_fields

    _say(
        draw_receptive_fields(
            arguments.models,
            images=arguments.images,
            num_images=arguments.num_images,
            size=arguments.size,
            side=arguments.side,
            **_output(arguments),
        )
    )


def _features(arguments: argparse.Namespace) -> None:
    from vitdet.insight.feature_pictures import draw_features

    files = draw_features(
        arguments.checkpoint, arguments.images, side=arguments.side, **_output(arguments)
    )
    _say(files)


def _data(arguments: argparse.Namespace) -> None:
    from vitdet.insight.batch_pictures import draw_batches

    files = draw_batches(
        load_given_config(arguments),
        num_batches=arguments.batches,
        seed=arguments.seed,
        side=arguments.side,
        **_output(arguments),
    )
    _say(files)
