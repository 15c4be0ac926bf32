"""vitdet: object detection and segmentation with vision transformers.

Importing this package loads neither torch nor mmdet; it only makes sure that they import and work
when they are asked for (see `vitdet.compat`).
"""

from typing import TYPE_CHECKING, Any

from vitdet import compat as _compat

if TYPE_CHECKING:
    from vitdet.inference import Prediction, Predictor

__version__ = "0.1.0"
__all__ = ["Prediction", "Predictor", "__version__"]

_compat.install()


def __getattr__(name: str) -> Any:
    if name in ("Prediction", "Predictor"):
        from vitdet import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'vitdet' has no attribute {name!r}")
