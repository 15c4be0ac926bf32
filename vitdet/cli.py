"""The commands `vitdet train | test | predict | check-data | ...`, also the files in `tools/`.

A mistake the user can mend (`UserError`) is printed as one line and ends with exit code 2; Ctrl-C
ends with 130, a training that a signal has stopped with 75: `--resume` goes on. Heavy imports wait
until the arguments are known to be good.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vitdet
from vitdet.errors import StoppedError, UserError

_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line."""
    parser = argparse.ArgumentParser(prog="vitdet", description=vitdet.__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"vitdet {vitdet.__version__}")
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="train|test|predict|inspect|publish|check-data|convert-data|zoo",
    )
    _add_train(commands)
    _add_test(commands)
    _add_predict(commands)
    _add_check_data(commands)
    _add_inspect(commands)
    _add_convert_data(commands)
    _add_publish(commands)
    _add_zoo(commands)
    arguments = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name in a label file may be no text of any
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments.run(arguments)
    except UserError as error:
        if os.environ.get("RANK", "0") == "0":  # one line, not one per process
            sys.stderr.write(f"vitdet {arguments.command}: error: {error}\n")
        sys.exit(2)
    except StoppedError:
        sys.exit(_TRY_AGAIN)
    except KeyboardInterrupt:
        sys.exit(130)


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a config", description="Train a config.")
    parser.add_argument("config", help="config file, or the name of one that ships with vitdet")
    _add_config_arguments(parser)
    parser.add_argument("--work-dir", help="folder of the run (default: work_dirs/<config>)")
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="CKPT",
        help="go on from a checkpoint (default: last.pth of the newest run)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="take this seed (default: any)")
    parser.add_argument(
        "--deterministic", action="store_true", help="only algorithms that give the same twice"
    )
    parser.add_argument("--amp", action="store_true", help="automatic mixed precision")
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate to the real batch size",
    )
    parser.add_argument(
        "--auto-batch",
        action="store_true",
        help="find out how many images of a step fit the memory, up to the recipe's number",
    )
    parser.add_argument(
        "--accumulate",
        type=int,
        default=1,
        metavar="N",
        help="update the weights after every N batches, as with one batch N times as large",
    )
    parser.add_argument(
        "--ema", action="store_true", help="evaluate and save a moving average of the weights"
    )
    parser.add_argument(
        "--log",
        nargs="+",
        choices=("tensorboard", "wandb", "mlflow"),
        default=[],
        help="write the numbers of the run there, too",
    )
    _add_run_arguments(parser)
    parser.set_defaults(run=_train)


def _add_test(commands: Any) -> None:
    parser = commands.add_parser(
        "test", help="evaluate a checkpoint", description="Evaluate a checkpoint."
    )
    parser.add_argument("config", help="config file, or the name of one that ships with vitdet")
    parser.add_argument("checkpoint", help="checkpoint file")
    _add_config_arguments(parser)
    parser.add_argument("--work-dir", help="folder for the log (default: work_dirs/<config>_test)")
    parser.add_argument(
        "--out",
        help="write predictions in COCO's result format: OUT.bbox.json and OUT.segm.json, or "
        "OUT.panoptic.json with its PNGs",
    )
    parser.add_argument(
        "--show-dir", help="folder for pictures of predictions beside the ground truth"
    )
    parser.add_argument(
        "--tta", action="store_true", help="merge predictions for scaled and flipped images"
    )
    parser.add_argument(
        "--tta-scales",
        nargs="+",
        type=float,
        metavar="S",
        help="sizes of those images, over the test size (default: 1 0.8 1.25, for "
        "segmentors 0.5 to 1.75); implies --tta",
    )
    _add_run_arguments(parser)
    parser.set_defaults(run=_test)


def _add_predict(commands: Any) -> None:
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


def _add_check_data(commands: Any) -> None:
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


def _add_inspect(commands: Any) -> None:
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


def _add_publish(commands: Any) -> None:
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


def _add_convert_data(commands: Any) -> None:
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


def _add_zoo(commands: Any) -> None:
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
    _add_train(actions)


def _add_config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="other data: a COCO-format folder (a panoptic one for panoptic configs), folders of "
        "images by class, or images/ and masks/ for segmentors",
    )
    parser.add_argument(
        "--backbone",
        metavar="NAME",
        help="use another backbone: swin-small, pvtv2-b2, vit-base, timm:resnet50, ...",
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="K=V",
        help="override values of the config, such as model.backbone.arch=small",
    )


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the model's blocks: a slow start, then a faster run on a GPU",
    )
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="what starts several processes: torchrun (pytorch), srun (slurm) or mpirun (mpi)",
    )
    # torchrun's predecessor passed this flag; the environment says the same.
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)


def _train(arguments: argparse.Namespace) -> None:
    from vitdet.engine import load_config, train
    from vitdet.engine.option_values import parse_options

    config = load_config(
        arguments.config,
        data=arguments.data,
        options=parse_options(arguments.cfg_options),
        backbone=arguments.backbone,
    )
    train(
        config,
        arguments.work_dir,
        resume=arguments.resume,
        seed=arguments.seed,
        deterministic=arguments.deterministic,
        amp=arguments.amp,
        auto_scale_lr=arguments.auto_scale_lr,
        auto_batch=arguments.auto_batch,
        accumulate=arguments.accumulate,
        ema=arguments.ema,
        log=arguments.log,
        compile=arguments.compile,
        device=arguments.device,
        launcher=arguments.launcher,
    )


def _test(arguments: argparse.Namespace) -> None:
    from vitdet.engine import load_config, test
    from vitdet.engine.option_values import parse_options

    config = load_config(
        arguments.config,
        data=arguments.data,
        options=parse_options(arguments.cfg_options),
        backbone=arguments.backbone,
    )
    test(
        config,
        arguments.checkpoint,
        arguments.work_dir,
        out=arguments.out,
        show_dir=arguments.show_dir,
        tta=arguments.tta_scales or arguments.tta,
        compile=arguments.compile,
        device=arguments.device,
        launcher=arguments.launcher,
    )


def _predict(arguments: argparse.Namespace) -> None:
    from vitdet.prediction_files import predict_files

    predict_files(
        arguments.checkpoint,
        arguments.images,
        out=Path(arguments.out),
        score_threshold=arguments.score_threshold,
        device=arguments.device,
    )


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


def _inspect(arguments: argparse.Namespace) -> None:
    from vitdet.checkpoints.inspection import inspect_checkpoint

    summary = inspect_checkpoint(arguments.checkpoint)
    sys.stdout.write(f"{summary}\n")
    if arguments.config is not None:
        from vitdet.engine.checkpoint_fit import describe_fit

        sys.stdout.write(f"  {describe_fit(summary, arguments.config)}\n")


def _convert_data(arguments: argparse.Namespace) -> None:
    from vitdet.datasets.formats.convert import convert

    convert(arguments.source, arguments.target, copy_images=arguments.copy_images)


def _publish(arguments: argparse.Namespace) -> None:
    from vitdet.checkpoints.publishing import publish

    file = publish(arguments.checkpoint, arguments.out, file_format=arguments.format)
    sys.stdout.write(f"{file}, with its .json and .md\n")


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
