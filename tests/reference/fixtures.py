"""Read golden fixtures: NAME.json tells keys, inputs and outputs, NAME.npz holds sampled values.

Weights are not stored. They follow rule v1: for each key, a standard normal array seeded with the
CRC-32 of the key's name, scaled by its kind.
"""

import json
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Fixture:
    """One golden fixture by name."""

    name: str

    @cached_property
    def meta(self) -> dict[str, Any]:
        return json.loads((FOLDER / f"{self.name}.json").read_text())

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        with np.load(FOLDER / f"{self.name}.npz") as archive:
            return dict(archive)

    @property
    def args(self) -> dict[str, Any]:
        return self.meta["args"]

    def outputs(self) -> Iterable[str]:
        return self.meta["outputs"]

    def state_dict(self) -> dict[str, Tensor]:
        """The weights by rule v1; zeros where the reference model computes the entry itself."""
        return {entry[0]: _tensor(*entry) for entry in self.meta["state_dict"]}

    def inputs(self) -> dict[str, Tensor]:
        """Image batches (B, 3, H, W) by their "HxW", as the output names begin."""
        shapes = self.meta["input"]["shapes"]
        return {f"{s[2]}x{s[3]}": torch.from_numpy(_normal(0, s)) for s in shapes}

    def images(self) -> list[Tensor]:
        """Images (3, H, W) of a batch of different sizes, image i from seed i."""
        shapes = self.meta["input"]["shapes"]
        return [torch.from_numpy(_normal(i, shape)) for i, shape in enumerate(shapes)]

    def tolerance(self, output: str) -> float:
        """Rounding noise of the reference times 20, and no less than 1e-4."""
        return max(1e-4, 20 * self.meta["outputs"][output].get("fp32_vs_fp64_maxdiff", 0))

    def assert_close(self, output: str, actual: Tensor) -> None:
        """Compare shape, sampled values, mean, deviation and largest magnitude."""
        expected = self.meta["outputs"][output]
        assert list(actual.shape) == expected["shape"], output
        full = actual.detach().double().numpy()
        tolerance = self.tolerance(output)
        sampled = full.reshape(-1)[:: expected["step"]]
        difference = np.abs(sampled - self.values[output].reshape(-1)).max()
        assert difference <= tolerance, f"{self.name} {output}: off by {difference:.3g}"
        figures = {"mean": full.mean(), "std": full.std(), "absmax": np.abs(full).max()}
        for figure, value in figures.items():
            assert abs(value - expected[figure]) <= tolerance, f"{self.name} {output}: {figure}"


def _normal(seed: int, shape: Iterable[int]) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(tuple(shape)).astype(np.float32)


def _tensor(
    key: str, shape: list[int], dtype: str, is_generated: bool, kind: str, gain: float = 1.0
) -> Tensor:
    if not is_generated:
        return torch.zeros(shape, dtype=getattr(torch, dtype))
    z = _normal(zlib.crc32(key.encode()), shape)
    tenth = np.float32(0.1)
    if kind == "fan_in":
        z = z / np.float32(math.sqrt(math.prod(shape[1:])))
    elif kind == "table":
        z = np.float32(0.2) * z
    elif kind == "scale":
        z = 1 + tenth * z
    elif kind == "var":
        z = 1 + tenth * np.abs(z)
    elif kind in ("small", "mean"):
        z = tenth * z
    elif kind == "flax_kernel":
        z = z / np.float32(math.sqrt(_flax_fan_in(key, shape)))
    elif kind != "query":
        raise ValueError(f"{key}: no rule for kind {kind!r}")
    return torch.from_numpy(np.asarray(z * np.float32(gain), dtype=np.float32))


def _flax_fan_in(key: str, shape: list[int]) -> int:
    """Outputs stand last, but in the layers of queries, keys and values (in, heads, channels)."""
    has_inputs_first = key.endswith(("query/kernel", "key/kernel", "value/kernel"))
    return shape[0] if has_inputs_first else math.prod(shape[:-1])
