"""Train or test a completed config: what `tools/train.py` and `tools/test.py` call."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from torch.distributed import DistError

from vitdet.device import use_device
from vitdet.engine.accumulation import accumulate_gradients
from vitdet.engine.auto_batch import set_batch_size
from vitdet.engine.checkpoint_files import damage_of, newest_checkpoint, set_aside
from vitdet.engine.checkpoint_hook import SaveCheckpoints
from vitdet.engine.config_parts import datasets_of, evaluators_of
from vitdet.engine.config_tta import use_tta
from vitdet.engine.ema import use_ema
from vitdet.engine.launchers import follow_launcher, is_restarted
from vitdet.engine.loader_workers import choose_workers
from vitdet.engine.log_backends import log_to
from vitdet.engine.pictures import DrawPredictions, draw_sample_sheet
from vitdet.engine.report_hook import KeepEvaluation
from vitdet.engine.runner import Runner
from vitdet.engine.sharding import use_sharding
from vitdet.engine.training_check import check_training_data
from vitdet.engine.work_dir import BEST, LAST, choose_work_dir, holds_checkpoints
from vitdet.errors import StoppedError, UserError


def train(
    config: Config,
    work_dir: str | Path | None = None,
    *,
    resume: str | bool = False,
    seed: int | None = None,
    deterministic: bool = False,
    amp: bool = False,
    auto_scale_lr: bool = False,
    auto_batch: bool = False,
    fsdp: bool = False,
    accumulate: int = 1,
    ema: bool = False,
    log: Sequence[str] = (),
    compile: bool = False,
    device: str | None = None,
    launcher: str = "none",
) -> Path:
    """Train `config` and return the folder of the run, which then holds last.pth, best.pth and
    report.html.

    `resume` is a checkpoint, or True for the newest whole one in the folder; where there is none
    yet, as at the first start of a job that is queued again and again, a new run begins. Ctrl-C,
    SIGTERM and SIGUSR1 end the run after a step, with last.pth saved and a line on how to go on.
    `auto_batch` sets the images of a step to what fits the memory, `accumulate` how many of them
    make an update. `fsdp` shares the model out over the processes, `ema` averages the weights;
    `log` names backends besides the files of the run: tensorboard, wandb, mlflow.
    `compile` compiles the model's blocks.

    Raises:
        UserError: see `choose_work_dir`, `newest_checkpoint`, `use_device`, `set_batch_size`,
            `accumulate_gradients`, `log_to`, `clear_errors`, `SkipBadSteps`,
            `SkipUnreadableImages`; a checkpoint that is unsafe, broken or of another model; a full
            disk.
        KeyboardInterrupt, StoppedError: see `StopSignals.stop`.
        LostProcessError: see `clear_errors`.
    """
    device = use_device(device)
    resume = resume or _can_go_on(work_dir)
    folder = choose_work_dir(Path(config.filename).stem, work_dir, resume=bool(resume))
    starts_anew = resume is True and not holds_checkpoints(folder)
    skipped = _use_checkpoint(config, folder, resume) if resume and not starts_anew else {}
    if seed is not None or deterministic:
        _set_randomness(config, seed, deterministic)
    if auto_scale_lr:
        _scale_learning_rate(config)
    if amp:
        use_amp(config, device)
    _add_to_recipe(config, accumulate=accumulate, ema=ema, log=log, compile=compile)
    if fsdp:
        use_sharding(config, launcher)
    if auto_batch:
        if launcher != "none":
            raise UserError(
                "--auto-batch tries on one device: find the number with one process, then set "
                "--cfg-options train_dataloader.batch_size=N"
            )
        set_batch_size(config, device)
    runner = _build_runner(config, folder, device, launcher)
    # Of one folder seen from two machines, one may be a moment behind.
    chosen = [runner._load_from]
    broadcast_object_list(chosen)
    runner._load_from = chosen[0]
    if is_main_process():
        check_training_data(config)
        _set_aside(runner, skipped)
    evaluation = KeepEvaluation()
    runner.register_hook(evaluation)
    anew = "; it starts anew: no checkpoint is there to --resume from" if starts_anew else ""
    runner.logger.info(f"training {config.filename} on {device}; all of it goes to {folder}{anew}")
    if _prepares_differently(config):
        runner.logger.warning(
            "val_dataloader and test_dataloader prepare images differently: scores during training "
            "belong to the former, test.py and predict.py follow the latter"
        )
    _train(runner)
    if is_main_process() and (folder / BEST).is_file():
        sheet = folder / "predictions.png"
        draw_sample_sheet(runner.val_dataloader.dataset, folder / BEST, sheet, device=device)
        runner.logger.info(f"what {folder / BEST} finds is drawn in {sheet}")
    if is_main_process() and evaluation.metrics:
        evaluation.write(runner, runner.val_dataloader.dataset, device=device)
    return folder


def test(
    config: Config,
    checkpoint: str | Path,
    work_dir: str | Path | None = None,
    *,
    out: str | Path | None = None,
    show_dir: str | Path | None = None,
    tta: bool | Sequence[float] = False,
    compile: bool = False,
    device: str | None = None,
    launcher: str = "none",
) -> dict[str, float]:
    """Evaluate a checkpoint on the config's test data and return its metrics.

    `out` is where predictions are written in COCO's result format: `results.json` stands for
    `results.bbox.json` and `results.segm.json`, or for `results.panoptic.json`. `show_dir`
    receives one picture per image. `tta` merges what is found in scaled and flipped views of each
    image; a list gives the scales. `compile` compiles the model's blocks. `report.html` in
    `work_dir` shows scores and mistakes.

    Raises:
        UserError: the checkpoint is missing, unsafe, broken or of another model; see `use_tta`.
    """
    device = use_device(device)
    config.load_from = str(checkpoint)
    folder = (
        Path(work_dir) if work_dir else Path("work_dirs") / f"{Path(config.filename).stem}_test"
    )
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        config.pop(key, None)
    if out is not None:
        for evaluator in evaluators_of(config, "test"):
            evaluator["outfile_prefix"] = str(Path(out).with_suffix(""))
    if tta:
        use_tta(config, None if tta is True else tta)
    _set_compile(config, compile)
    runner = _build_runner(config, folder, device, launcher)
    if show_dir is not None:
        runner.register_hook(DrawPredictions(show_dir))
    evaluation = KeepEvaluation()
    runner.register_hook(evaluation)
    metrics = runner.test()
    if is_main_process() and metrics:
        evaluation.write(runner, runner.test_dataloader.dataset, device=device)
    return metrics


def _set_randomness(config: Config, seed: int | None, deterministic: bool) -> None:
    """Put what the user asks for into the config, in place."""
    randomness = dict(config.get("randomness") or dict(seed=None))
    if seed is not None:
        randomness["seed"] = seed
    if deterministic:
        randomness["deterministic"] = True
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    config["randomness"] = randomness


def _scale_learning_rate(config: Config) -> None:
    """Let it follow the real number of images of a step, in place."""
    if "base_batch_size" not in (config.get("auto_scale_lr") or {}):
        raise UserError("--auto-scale-lr: the config has no auto_scale_lr.base_batch_size")
    config.auto_scale_lr["enable"] = True


def _can_go_on(work_dir: str | Path | None) -> bool:
    """Whether this run is one that torchrun has started anew, and has left what it can go on from.

    Raises:
        UserError: it cannot be told, as the run has no folder of its own.
    """
    if not is_restarted():
        return False
    if work_dir is None:
        raise UserError(
            "torchrun restarts this training, which has no --work-dir: name a folder, so that it "
            "can go on from what is saved there"
        )
    return holds_checkpoints(Path(work_dir))


def _use_checkpoint(config: Config, folder: Path, resume: str | bool) -> dict[Path, str]:
    """Set what the run goes on from, in place; returns what is wrong with files passed over.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    if resume is True:
        path, skipped = newest_checkpoint(folder)
    else:
        path, skipped = Path(resume), {}
        if not path.is_file():
            raise UserError(
                f"--resume: no checkpoint {path}; leave --resume out to start a new run"
            )
        if (damage := damage_of(path)) is not None:
            raise UserError(
                f"--resume: {path}: {damage}; --resume without a file takes the newest whole one"
            )
    config.load_from = str(path)
    config.resume = True
    return skipped


def _set_aside(runner: Runner, skipped: dict[Path, str]) -> None:
    """Rename checkpoints that are damaged, and say so."""
    for path, damage in skipped.items():
        kept = set_aside(path)
        runner.logger.warning(f"{path} is skipped: {damage}; it is kept as {kept.name}")


def _train(runner: Runner) -> None:
    """Run the training; ended early, say how to go on.

    Raises:
        UserError: the disk is full.
    """
    folder = Path(runner.work_dir)
    try:
        runner.train()
    except (KeyboardInterrupt, StoppedError) as reason:
        savers = [hook for hook in runner.hooks if isinstance(hook, SaveCheckpoints)]
        if savers and savers[0].saved_step is not None:
            saved_config = folder / Path(runner.cfg.filename).name  # with --data and all options
            runner.logger.warning(
                f"stopped by {'Ctrl-C' if isinstance(reason, KeyboardInterrupt) else reason}; "
                f"{folder / LAST} was saved after step {savers[0].saved_step}, go on with: "
                f"train.py {saved_config} --work-dir {folder} --resume"
            )
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"{error.filename or folder}: {error.strerror}; free some room, then go on with "
            f"--resume"
        ) from error


def use_amp(config: Config, device: str) -> None:
    """Switch the optimizer wrapper to automatic mixed precision, in place.

    bfloat16 where the device computes in it, which needs no loss scaling; else float16.
    """
    has_bf16 = torch.device(device).type != "cuda" or torch.cuda.is_bf16_supported()
    wrapper = config["optim_wrapper"]
    wrapper["type"] = "mmengine.optim.AmpOptimWrapper"
    wrapper["dtype"] = "bfloat16" if has_bf16 else "float16"


def _add_to_recipe(
    config: Config, *, accumulate: int, ema: bool, log: Sequence[str], compile: bool
) -> None:
    """Apply what goes with any recipe, in place."""
    _set_compile(config, compile)
    accumulate_gradients(config, accumulate)
    log_to(config, log)
    if ema:
        use_ema(config)


def _set_compile(config: Config, compile: bool) -> None:
    """Let the runner compile, in place; options of the config's own stay."""
    if compile:
        config["compile"] = config.get("compile") or True


def _prepares_differently(config: Config) -> bool:
    """Whether evaluation during training sees other images than tests and predictions will."""
    nodes = {part: node.to_dict() for part, node in datasets_of(config)}
    val, test = nodes.get("val"), nodes.get("test")
    return val is not None and test is not None and val["pipeline"] != test["pipeline"]


def _build_runner(config: Config, folder: Path, device: str, launcher: str) -> Runner:
    config["work_dir"] = str(folder)
    config["launcher"] = follow_launcher(launcher)
    choose_workers(config, device)
    if torch.device(device).type != "cuda":
        config.setdefault("env_cfg", {}).setdefault("dist_cfg", {})["backend"] = "gloo"
    try:
        return Runner.from_cfg(config)
    except DistError as error:
        meeting = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise UserError(
            f"the {os.environ.get('WORLD_SIZE')} processes do not meet at {meeting} "
            f"({str(error).splitlines()[0]}): is it the first machine, is that port open there, "
            "and has the same command been started on all machines?"
        ) from error
