"""Runs what `vitdet export --format torch_export` wrote, with torch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitdet.inference.exported_predictor import ExportedPredictor
from vitdet.inference.model_card import KEY, ModelCard

_OUTPUTS = {  # in the order in which a model returns them; without masks, where it has none
    "detection": ("boxes", "scores", "labels", "masks"),
    "segmentation": ("classes",),
}


class ProgramPredictor(ExportedPredictor):
    """Compares a file `.pt2` that we wrote; no file of a stranger's, whose code may be run.

    Args:
        checkpoint: the file, with a `ModelCard`.
        device: "cpu", which it was written for.
    """

    def __init__(self, checkpoint: str | Path, device: Any = None) -> None:
        extra = {f"{KEY}.json": ""}
        self.program = torch.export.load(checkpoint, extra_files=extra).module()
        self.card = ModelCard.from_json(extra[f"{KEY}.json"], source=str(checkpoint))

    @torch.inference_mode()
    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        results = self.program(torch.from_numpy(images))
        results = (results,) if torch.is_tensor(results) else results
        names = _OUTPUTS[self.card.task]
        return {name: value.numpy() for name, value in zip(names, results, strict=False)}
