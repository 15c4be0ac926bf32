"""What of a checkpoint would go into a config's model: `vitdet inspect FILE CONFIG`."""

from pathlib import Path

import torch
from mmengine.registry import MODELS, DefaultScope

from vitdet.checkpoints.inspection import CheckpointSummary
from vitdet.checkpoints.loading import try_load
from vitdet.engine.config import load_model_config


def describe_fit(summary: CheckpointSummary, config_path: str | Path) -> str:
    """One line: what would load, be resized, stay fresh or miss, and whether it is accepted.

    Weights of a backbone or classifier are compared with the backbone, others with the whole model.

    Raises:
        UserError: the config cannot be read or its model not be built.
    """
    config = load_model_config(config_path, num_classes=len(summary.class_names) or 80)
    with torch.device("meta"), DefaultScope.overwrite_default_scope(config["default_scope"]):
        model = MODELS.build(config["model"])
    place = "model"
    if summary.is_part and hasattr(model, "backbone"):
        model, place = model.backbone, "model.backbone"
    state = {key: tensor.to("meta") for key, tensor in summary.state.items()}
    report, problem = try_load(model, state, source=Path(summary.source).name)
    if problem is not None:
        return f"{Path(config_path).stem}: refused for its {place}: {problem}"
    return f"{Path(config_path).stem}: fits its {place}: {report}"
