"""`vitdet check-data` and `vitdet convert-data`."""

import argparse
import sys
from typing import Any


def add_check_data(commands: Any) -> None:
    parser = commands.add_parser(
        "check-data",
        help="find what is wrong with a data set",
        description="Find what is wrong with labels and images of a data set, in any format that "
        "can be trained on. Ends with exit code 1 if there are errors.",
    )
    parser.add_argument("data", metavar="DIR", help="folder of the data set, or annotation file")
    parser.add_argument("--fix", metavar="OUT", help="write a mended copy, in COCO format")
    parser.add_argument("--html", metavar="FILE", help="write a page with drawn samples")
    parser.add_argument("--no-images", action="store_true", help="do not open the images")
    parser.set_defaults(run=_check_data)


def add_convert_data(commands: Any) -> None:
    parser = commands.add_parser(
        "convert-data",
        help="write labels of any known format as COCO's",
        description="Write a folder of labels (Pascal VOC, YOLO, LabelMe, VIA, CVAT or COCO, "
        "recognised by itself) as a folder in COCO format. The source is not changed.",
    )
    parser.add_argument("source", metavar="SRC", help="data folder, or a single annotation file")
    parser.add_argument("target", metavar="DST", help="folder to write, new or empty")
    parser.add_argument(
        "--copy-images", action="store_true", help="copy images (default: hard links to them)"
    )
    parser.set_defaults(run=_convert_data)


def _check_data(arguments: argparse.Namespace) -> None:
    from vitdet.data_check.command import check_data

    has_errors = check_data(
        arguments.data,
        mended=arguments.fix,
        page=arguments.html,
        with_images=not arguments.no_images,
    )
    if has_errors:
        sys.exit(1)


def _convert_data(arguments: argparse.Namespace) -> None:
    from vitdet.datasets.formats.convert import convert

    convert(arguments.source, arguments.target, copy_images=arguments.copy_images)
