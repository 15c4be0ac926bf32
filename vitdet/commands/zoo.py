"""`vitdet zoo list | check | train`."""

import argparse
from typing import Any

from vitdet.commands.train import add_train


def add_zoo(commands: Any) -> None:
    parser = commands.add_parser(
        "zoo",
        help="the configs of mmdet and mmseg",
        description="List, check or train the configs that mmdet and mmseg install.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|check|train")
    listing = actions.add_parser("list", help="names of the configs")
    check = actions.add_parser("check", help="build every model, without its pretrained weights")
    for action in (listing, check):
        action.add_argument("library", nargs="?", choices=("mmdet", "mmseg"), help="default: both")
        action.add_argument("--filter", default="", metavar="TEXT", help="only names with TEXT")
    check.add_argument("--step", action="store_true", help="train a step and predict, too")
    check.add_argument("--sample", type=int, metavar="N", help="only N of them, at random")
    check.add_argument("--again", action="store_true", help="those checked before, too")
    check.add_argument("--jobs", type=int, default=1, metavar="N", help="configs at a time")
    check.add_argument("--seconds", type=int, default=300, metavar="S", help="limit for each")
    check.add_argument("--memory", type=float, default=8, metavar="GIB", help="limit for each")
    check.add_argument("--out", default="docs", metavar="DIR", help="folder of zoo.json and zoo.md")
    listing.set_defaults(run=_zoo_list)
    check.set_defaults(run=_zoo_check)
    add_train(actions)


def _zoo_list(arguments: argparse.Namespace) -> None:
    from vitdet.zoo.command import list_configs

    list_configs(arguments.library, arguments.filter)


def _zoo_check(arguments: argparse.Namespace) -> None:
    from vitdet.zoo.command import check_configs
    from vitdet.zoo.workers import Limits

    check_configs(
        arguments.library,
        arguments.filter,
        with_step=arguments.step,
        sample=arguments.sample,
        again=arguments.again,
        jobs=arguments.jobs,
        limits=Limits(arguments.seconds, arguments.memory),
        folder=arguments.out,
    )
