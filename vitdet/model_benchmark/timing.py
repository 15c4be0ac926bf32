"""What was measured of a model in one case."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Calls with a batch of images, each from pixels in memory to a `Prediction`.

    Attributes:
        runtime: "eager", "compiled" or "onnx".
        size: (W, H) of the images.
        batch: images of a call.
        seconds: of each call.
        first_seconds: of the very first call, in which a runtime makes ready.
        memory_mib: the most that was held: of a GPU what tensors took, else by the whole process.
        num_objects: found in an image, on average.
    """

    runtime: str
    size: tuple[int, int]
    batch: int
    seconds: tuple[float, ...]
    first_seconds: float
    memory_mib: float
    num_objects: float

    def milliseconds(self, percent: float) -> float:
        """What so many percent of the calls take at most."""
        return float(np.percentile(self.seconds, percent)) * 1000

    @property
    def images_per_second(self) -> float:
        return self.batch * len(self.seconds) / sum(self.seconds)

    @property
    def size_text(self) -> str:
        return f"{self.size[0]}x{self.size[1]}"

    def row(self) -> dict[str, Any]:
        """The figures that people read."""
        return {
            "runtime": self.runtime,
            "size": self.size_text,
            "batch": self.batch,
            "p50 ms": round(self.milliseconds(50), 1),
            "p90 ms": round(self.milliseconds(90), 1),
            "p99 ms": round(self.milliseconds(99), 1),
            "images/s": round(self.images_per_second, 2),
            "memory MiB": round(self.memory_mib),
            "first call s": round(self.first_seconds, 2),
            "calls": len(self.seconds),
            "objects": round(self.num_objects, 1),
        }
