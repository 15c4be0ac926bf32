"""`--log`: the numbers of a run in TensorBoard, Weights & Biases or MLflow, too."""

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from numbers import Real
from typing import Any

from mmengine.config import Config
from mmengine.visualization import MLflowVisBackend, WandbVisBackend

from vitdet.errors import UserError

BACKENDS = dict(
    tensorboard="mmengine.visualization.TensorboardVisBackend",
    wandb="vitdet.engine.log_backends.WandbBackend",
    mlflow="vitdet.engine.log_backends.MLflowBackend",
)


class WandbBackend(WandbVisBackend):
    """mmengine's; without an account, or a network, it says so before the first step.

    Raises:
        UserError: when the run begins.
    """

    def _init_env(self) -> None:
        try:
            super()._init_env()
        except Exception as error:
            if not type(error).__module__.startswith("wandb"):
                raise
            raise UserError(
                f"--log wandb: {error}; log in with `wandb login`, or keep it in the run's folder "
                "with WANDB_MODE=offline, for `wandb sync` later"
            ) from error


class MLflowBackend(MLflowVisBackend):
    """mmengine's, to where MLFLOW_TRACKING_URI says or, without it, the run's own folder.

    Characters that MLflow's names cannot have, such as the @ of AR@100, become underscores.
    """

    def _init_env(self) -> None:
        self._tracking_uri = self._tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if self._tracking_uri is None:
            # From its version 3 on MLflow refuses folders unless this is set.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        super()._init_env()

    def add_scalars(
        self, scalar_dict: dict[str, Any], step: int = 0, file_path: str | None = None, **_: Any
    ) -> None:
        values = {
            re.sub(r"[^/\w.\- :]", "_", name): float(value)
            for name, value in scalar_dict.items()
            if isinstance(value, Real)
        }
        super().add_scalars(values, step)


def log_to(config: Config, names: Sequence[str]) -> None:
    """Let a run write to the backends of these names as well, in place.

    Raises:
        UserError: the package of one is not installed.
    """
    for name in names:
        if find_spec(name) is None:
            raise UserError(f'--log {name}: the package is not here; pip install "vitdet[{name}]"')
    for name in names:
        visualizer = config.setdefault("visualizer", dict(type="mmengine.visualization.Visualizer"))
        backends = visualizer.get("vis_backends") or []
        if not any(name in str(one.get("type")).rpartition(".")[2].lower() for one in backends):
            visualizer["vis_backends"] = [*backends, dict(type=BACKENDS[name])]
