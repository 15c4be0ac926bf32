"""`vitdet train` and `vitdet test`."""

import argparse
from typing import Any


def add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a config", description="Train a config.")
    parser.add_argument("config", help="config file, or the name of one that ships with vitdet")
    add_config_arguments(parser)
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
        "--fsdp",
        action="store_true",
        help="share weights and the optimizer's state out over all processes (torch's FSDP2)",
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


def add_test(commands: Any) -> None:
    parser = commands.add_parser(
        "test", help="evaluate a checkpoint", description="Evaluate a checkpoint."
    )
    parser.add_argument("config", help="config file, or the name of one that ships with vitdet")
    parser.add_argument("checkpoint", help="checkpoint file")
    add_config_arguments(parser)
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


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
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


def load_given_config(arguments: argparse.Namespace, *, for_test: bool = False) -> Any:
    """The config that `config` and the arguments of `add_config_arguments` ask for."""
    from vitdet.engine import load_config
    from vitdet.engine.option_values import parse_options

    return load_config(
        arguments.config,
        data=arguments.data,
        options=parse_options(arguments.cfg_options),
        backbone=arguments.backbone,
        for_test=for_test,
    )


def _train(arguments: argparse.Namespace) -> None:
    from vitdet.engine import train

    train(
        load_given_config(arguments),
        arguments.work_dir,
        resume=arguments.resume,
        seed=arguments.seed,
        deterministic=arguments.deterministic,
        amp=arguments.amp,
        auto_scale_lr=arguments.auto_scale_lr,
        auto_batch=arguments.auto_batch,
        fsdp=arguments.fsdp,
        accumulate=arguments.accumulate,
        ema=arguments.ema,
        log=arguments.log,
        compile=arguments.compile,
        device=arguments.device,
        launcher=arguments.launcher,
    )


def _test(arguments: argparse.Namespace) -> None:
    from vitdet.engine import test

    test(
        load_given_config(arguments, for_test=True),
        arguments.checkpoint,
        arguments.work_dir,
        out=arguments.out,
        show_dir=arguments.show_dir,
        tta=arguments.tta_scales or arguments.tta,
        compile=arguments.compile,
        device=arguments.device,
        launcher=arguments.launcher,
    )
