"""`--log`: the numbers of a run in TensorBoard, Weights & Biases or MLflow, too."""

from collections.abc import Sequence
from importlib.util import find_spec

from mmengine.config import Config

from vitdet.errors import UserError

BACKENDS = dict(
    tensorboard="mmengine.visualization.TensorboardVisBackend",
    wandb="mmengine.visualization.WandbVisBackend",
    mlflow="mmengine.visualization.MLflowVisBackend",
)


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
        if not any(str(one.get("type")).endswith(_class_name(name)) for one in backends):
            visualizer["vis_backends"] = [*backends, dict(type=BACKENDS[name])]


def _class_name(name: str) -> str:
    return BACKENDS[name].split(".")[-1]
