"""mmengine's Runner with what every run here has."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseTTAModel, is_model_wrapper, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS, RUNNERS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner import Runner as MMEngineRunner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.files import read_checkpoint
from vitdet.checkpoints.report import LoadReport, first_names
from vitdet.engine.bad_steps import SkipBadSteps
from vitdet.engine.checkpoint_hook import SaveCheckpoints
from vitdet.engine.clear_errors import clear_errors
from vitdet.engine.compile_blocks import compile_blocks
from vitdet.engine.console import keep_console_readable
from vitdet.engine.ema import check_resumed
from vitdet.engine.fused_optimizer import check_groups, fused_optimizer, merge_groups
from vitdet.engine.loader_workers import end_workers
from vitdet.engine.log_history import bound_histories
from vitdet.engine.metrics_file import WriteMetrics
from vitdet.engine.progress import ProgressHook
from vitdet.engine.resumable_batches import ResumableBatches
from vitdet.engine.sharding import FullyShardedModel, share_when_loaded, whole
from vitdet.engine.stop_signals import StopSignals, leave_signals_to_main
from vitdet.engine.train_loops import EpochLoop, StepLoop
from vitdet.engine.unreadable_images import SkipUnreadableImages
from vitdet.errors import UserError
from vitdet.layers.winograd import use_winograd


@RUNNERS.register_module(name="vitdet.Runner")
class Runner(MMEngineRunner):
    """Trains and tests what a completed config describes.

    Beyond mmengine's: every run has a progress bar and writes `last.pth` and `best.pth`; a
    checkpoint that does not fit the model is refused; a run that is resumed takes the same steps,
    to the bit on a CPU, as one that was never stopped.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.progress = ProgressHook()
        self.stop_signals = StopSignals()
        self._resumed: dict[str, Any] | None = None
        self._has_compiled = False
        super().__init__(*args, **kwargs)

    # mmengine keeps one logger and one visualizer of each name: with its names, a second run in a
    # process would write to the first's folder (of the logger, one begun in the same second).

    def build_logger(self, *args: Any, **kwargs: Any) -> logging.Logger:
        logger = super().build_logger(*args, **{**kwargs, "name": str(self._log_dir)})
        keep_console_readable(logger)
        return logger

    def build_message_hub(self, message_hub: dict | None = None) -> MessageHub:
        hub = super().build_message_hub(message_hub)
        bound_histories(hub)
        return hub

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        if isinstance(visualizer, dict):
            visualizer = visualizer.copy()
            visualizer["name"] = str(self._log_dir)
        return super().build_visualizer(visualizer)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        return use_winograd(super().build_model(model))

    def build_dataloader(self, dataloader: DataLoader | dict, **kwargs: Any) -> DataLoader:
        loader = MMEngineRunner.build_dataloader(dataloader, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        # Each epoch's start draws a number, else from the generator that dropout draws from.
        loader.generator = torch.Generator()
        if dataloader is self._train_dataloader:
            self.call_hook("training_data_built", dataset=loader.dataset)
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """As mmengine's; its own loops and any sampler learn to start anywhere in the run."""
        if isinstance(loop, dict):
            loop = _resumable_loop(loop)
        if isinstance(self._train_dataloader, dict):
            self._train_dataloader = _resumable_loader(self._train_dataloader, self.seed)
        return super().build_train_loop(loop)

    def build_optim_wrapper(self, optim_wrapper: OptimWrapper | dict) -> OptimWrapper:
        """As mmengine's; the optimizer is fused where it can be, its groups are few."""
        if not isinstance(optim_wrapper, dict):
            return super().build_optim_wrapper(optim_wrapper)
        if isinstance(self.model, FullyShardedModel):
            self._shard_model()
        scope = self.cfg.get("default_scope") or "mmengine"
        wrapper = super().build_optim_wrapper(fused_optimizer(optim_wrapper, scope))
        if isinstance(wrapper, OptimWrapper):
            merge_groups(wrapper.optimizer)
            if self._is_sharded():
                share_when_loaded(wrapper.optimizer)
        return wrapper

    def set_randomness(
        self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False
    ) -> None:
        """As mmengine's; what has no deterministic algorithm on a GPU warns instead of failing."""
        super().set_randomness(seed, diff_rank_seed, deterministic)
        if deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """As mmengine's; without GPUs, where there is no SyncBN, each process has its own norms."""
        if self.distributed and get_device() == "cpu" and not is_model_wrapper(model):
            model = revert_sync_batchnorm(model)
        return super().wrap_model(model_wrapper_cfg, model)

    def _maybe_compile(self, target: str) -> None:
        """Where mmengine would compile the whole model, its blocks are (`compile` in a config)."""
        options = self.cfg.get("compile")
        if options is None or options is False or self._has_compiled:
            return
        self._has_compiled = True
        num_blocks = compile_blocks(self.model, {} if options is True else options)
        self.logger.info(f"{num_blocks} blocks are compiled when they are first used: wait a while")

    def register_default_hooks(self, hooks: dict[str, Hook | dict | None] | None = None) -> None:
        ours = dict(
            checkpoint=None,
            last_and_best=SaveCheckpoints(),
            bad_steps=SkipBadSteps(),
            unreadable_images=SkipUnreadableImages(),
            metrics_file=WriteMetrics(),
            progress=self.progress,
        )
        super().register_default_hooks({**ours, **(hooks or {})})

    def load_checkpoint(
        self, filename: str, map_location: Any = "cpu", strict: bool = True, revise_keys: Any = ()
    ) -> dict[str, Any]:
        """Load weights through `vitdet.checkpoints`; `strict` and `revise_keys` are not needed.

        A checkpoint that training starts from may have been trained for other classes.

        Raises:
            UserError: unreadable, unsafe, or not a checkpoint of this model.
        """
        checkpoint = self._resumed or read_checkpoint(filename, map_location=map_location)
        self._resumed = None
        if self._resume:
            check_resumed(checkpoint, self.hooks)
            if isinstance(self.optim_wrapper, OptimWrapper):
                check_groups(checkpoint, self.optim_wrapper.optimizer)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        if not self._is_sharded():
            self._load_weights(checkpoint, filename)
        self._has_loaded = True
        return checkpoint

    def _load_weights(self, checkpoint: dict[str, Any], source: str) -> None:
        model = self.model.module if is_model_wrapper(self.model) else self.model
        model = model.module if isinstance(model, BaseTTAModel) else model
        is_starting_point = self._train_loop is not None and not self._resume
        report = load_checkpoint(
            model,
            checkpoint,
            new_classes=is_starting_point,
            classes=self._classes(),
            source=source,
        )
        self.logger.info(report)
        if is_starting_point and getattr(model, "has_frozen_detector", False):
            _check_frozen_detector(report)

    def _shard_model(self) -> None:
        """Share the model out, once it has its weights; the optimizer is then built on shares."""
        self._init_model_weights()
        if self._load_from is not None:
            checkpoint = self._resumed or read_checkpoint(self._load_from)
            self._load_weights(checkpoint, self._load_from)
            self._resumed = checkpoint  # for `load_checkpoint`
        self.model.shard()

    def _init_model_weights(self) -> None:
        if not self._is_sharded():
            super()._init_model_weights()

    def _is_sharded(self) -> bool:
        return isinstance(self.model, FullyShardedModel) and self.model.is_sharded

    def whole_states(self) -> dict[str, Any]:
        """Weights and state of the optimizer under their names in a checkpoint, where they are
        shared out; all processes take part, the main one gets them."""
        if not self._is_sharded():
            return {}
        states = dict(
            state_dict=self.model.module.state_dict(), optimizer=self.optim_wrapper.state_dict()
        )
        return whole(states)

    def _classes(self) -> Sequence[str] | None:
        """Names of the data set's classes, which are the model's."""
        loops = (self._train_loop, self._val_loop, self._test_loop)
        loop = next((loop for loop in loops if isinstance(loop, BaseLoop)), None)
        metainfo = getattr(loop.dataloader.dataset, "metainfo", {}) if loop is not None else {}
        return metainfo.get("classes")

    def train(self) -> nn.Module:
        frozen = self.cfg["model"].get("has_frozen_detector")
        if frozen and self._load_from is None and not self._resume:
            raise UserError(
                "model.has_frozen_detector: the detector starts from nothing and would never "
                "learn; give its checkpoint as load_from=FILE"
            )
        if self._resume and self._load_from is not None:
            self._take_over_seed()
        try:
            with self.stop_signals, clear_errors(self.cfg, "train"):
                return super().train()
        finally:
            end_workers(self._train_loop)
            end_workers(self._val_loop)
            self.progress.close()

    def _take_over_seed(self) -> None:
        """Go on with the seed of the run that is resumed, before anything is built that needs it.

        The checkpoint is kept for `load_checkpoint`; on the CPU, for the model is on the device.
        """
        self._resumed = read_checkpoint(self._load_from)
        seed = self._resumed.get("meta", {}).get("seed")
        ours = self._randomness_cfg.get("seed")
        if seed is None or seed == ours:
            return
        if ours is not None:
            self.logger.warning(f"the resumed run's seed {seed} is taken in place of {ours}")
        self._randomness_cfg.update(seed=seed)
        self.set_randomness(**self._randomness_cfg)

    def test(self) -> dict[str, float]:
        try:
            with clear_errors(self.cfg, "test"):
                return super().test()
        finally:
            end_workers(self._test_loop)
            self.progress.close()


def _check_frozen_detector(report: LoadReport) -> None:
    """Refuse to freeze class rows that know nothing."""
    if report.fresh_classes or any(not key.startswith("mask_head.") for key in report.fresh):
        names = first_names(report.fresh_classes or report.fresh)
        raise UserError(
            f"model.has_frozen_detector: {report.source} does not know {names}, which could never "
            "be learnt; train the detector with them first, or leave has_frozen_detector out"
        )


def _resumable_loop(config: dict) -> dict:
    """The config with our loop in place of mmengine's; others stay what they are."""
    config = dict(config)
    if "by_epoch" in config:
        kind = EpochBasedTrainLoop if config.pop("by_epoch") else IterBasedTrainLoop
    else:
        kind = LOOPS.get(config["type"]) if isinstance(config["type"], str) else config["type"]
    ours = {EpochBasedTrainLoop: EpochLoop, IterBasedTrainLoop: StepLoop}
    return {**config, "type": ours.get(kind, kind)}


def _resumable_loader(config: dict, seed: int) -> dict:
    """The loader's config with `ResumableBatches` over its sampler and batch sampler."""
    grouped_by = config.get("batch_sampler")
    if "batch_size" not in config or not isinstance(grouped_by, dict | None):
        return config
    config = dict(config)
    config["batch_sampler"] = dict(
        type=ResumableBatches,
        seed=seed,
        grouped_by=grouped_by,
        drop_last=config.pop("drop_last", False),
    )
    return config


def _start_worker(worker_init_fn: Callable[[int], None] | None, worker: int) -> None:
    leave_signals_to_main()
    if worker_init_fn is not None:
        worker_init_fn(worker)
