"""Runs what `vitdet export` wrote, with onnxruntime, numpy and OpenCV; torch is not imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vitdet.errors import UserError
from vitdet.inference.exported_predictor import ExportedPredictor
from vitdet.inference.model_card import KEY, ModelCard

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxPredictor(ExportedPredictor):
    """What `Predictor` makes of a file `.onnx`.

    Args:
        checkpoint: the file.
        device: "cpu" or "cuda"; by default the best that the installed onnxruntime has.
        trusted_modules: nothing in the file names code; ignored.
        threads: of the CPU; by default onnxruntime's choice.

    Raises:
        UserError: onnxruntime is missing, or has no such device; the file is missing or none of
            `vitdet export`'s.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        device: Any = None,
        *,
        trusted_modules: Sequence[str] = (),
        threads: int = 0,
    ) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError("an .onnx file needs onnxruntime: pip install onnxruntime") from None
        if not Path(checkpoint).is_file():
            raise UserError(f"no such file: {checkpoint}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(
                str(checkpoint), options, providers=_providers(onnxruntime, device)
            )
        except UserError:
            raise
        except Exception as error:  # its errors have no common class
            reason = str(error).splitlines()[0][:200]
            raise UserError(f"{checkpoint}: onnxruntime cannot load it ({reason})") from error
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.card = ModelCard.from_json(metadata.get(KEY), source=str(checkpoint))
        self.class_names, self.thing_names = self.card.class_names, self.card.thing_names
        self.colours = self.card.colours
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self.outputs, self.session.run(None, {"images": images}), strict=True))


def _providers(onnxruntime: Any, device: Any) -> list[str]:
    available = onnxruntime.get_available_providers()
    if device is None:
        return [name for name in reversed(_PROVIDERS.values()) if name in available]
    provider = _PROVIDERS.get(str(device).partition(":")[0])
    if provider not in available:
        raise UserError(f"onnxruntime has no device {device} here; it has {', '.join(available)}")
    return [provider]
