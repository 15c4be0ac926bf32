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
    visualizer = config.get("visualizer") or dict(type="mmengine.visualization.Visualizer")
    backends = [dict(one) for one in visualizer.get("vis_backends") or []]
    stated = {str(one.get("type")).rsplit(".")[-1] for one in backends}
    backends += [dict(type=BACKENDS[n]) for n in names if BACKENDS[n].split(".")[-1] not in stated]
    config["visualizer"] = dict(visualizer, vis_backends=backends)
