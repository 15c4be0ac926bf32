"""mmcv's Python functions on our kernels give what compiled mmcv 2.1.0 gives, gradients included.

The values in tests/reference/ops come from compiled CPU kernels of mmcv 2.1.0, or, where mmcv has
none, from float64 loops over the definition; each case names its source and its tolerance.
"""

import importlib
import json
from contextlib import nullcontext
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms

REFERENCE = Path(__file__).parents[2] / "reference" / "ops"
CASES = {
    f"{path.stem}-{case['name']}": (path.with_suffix(".npz"), case)
    for path in sorted(REFERENCE.glob("*.json"))
    for case in json.loads(path.read_text()).get("cases", ())
    if case["name"] != "rotated"  # batched_nms over rotated boxes, which we do not supply
}
# A tensor made without saying where ends up on "meta" and fails: kernels follow their inputs to any
# device. (mmcv's own `batched_nms` makes one on the default device.)
NO_DEFAULT_DEVICE = torch.device("meta")


@cache
def arrays(path: Path) -> dict[str, np.ndarray]:
    return dict(np.load(path))


def laid_out(array: np.ndarray, layout: str | None) -> torch.Tensor:
    """The stored values in the memory layout the case asks for."""
    tensor = torch.from_numpy(array.copy())
    if layout is None:
        return tensor
    if "channels_last" in layout:
        return tensor.to(memory_format=torch.channels_last)
    assert layout.startswith("column")
    num_columns = tensor.size(1) if tensor.dim() == 2 else 1
    wide = torch.full((tensor.size(0), 2 * num_columns + 1), torch.nan)
    wide[:, :num_columns] = tensor.view(-1, num_columns)
    return wide[:, :num_columns] if tensor.dim() == 2 else wide[:, 0]


def name_of(key: str) -> str:
    """The name in the layer's state dict of input `key`, empty if it is none."""
    return key.removeprefix("param.") if key.startswith("param.") else ""


def run(call: dict[str, Any], inputs: dict[str, torch.Tensor]) -> list[Any]:
    """Call the target of a case; its outputs in order."""

    def value_of(argument: Any) -> Any:
        is_reference = isinstance(argument, str) and argument.startswith("@")
        return inputs[argument[1:]] if is_reference else argument

    module, _, path = call["target"].partition(":")
    function = reduce(getattr, path.split("."), importlib.import_module(module))
    if "init" in call:
        init = call["init"]
        layer = function(*init) if isinstance(init, list) else function(**init)
        layer.load_state_dict(
            {name_of(key): value for key, value in inputs.items() if name_of(key)}
        )
        # The gradients are those of the layer's own tensors, not of the copies they came from.
        inputs.update({f"param.{name}": value for name, value in layer.named_parameters()})
        result = layer.eval()(*map(value_of, call["args"]))
    else:
        arguments = [value_of(argument) for argument in call["args"]]
        keywords = {key: value_of(argument) for key, argument in call["kwargs"].items()}
        with nullcontext() if function is batched_nms else NO_DEFAULT_DEVICE:
            result = function(*arguments, **keywords)
    if "collect" in call:
        return [result if name == "result" else value_of(name) for name in call["collect"]]
    if isinstance(result, list):  # groups of indices, stored as their concatenation and lengths
        lengths = torch.tensor([len(group) for group in result], dtype=torch.long)
        return [torch.cat([*result, torch.empty(0, dtype=torch.long)]), lengths]
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("name", CASES)
def test_matches_mmcv(name: str) -> None:
    path, case = CASES[name]
    stored = arrays(path)
    inputs = {
        key: laid_out(stored[spec["array"]], spec.get("layout")).requires_grad_(
            key in case["grads"]
        )
        for key, spec in case["inputs"].items()
    }

    outputs = run(case["call"], inputs)

    assert len(outputs) == len(case["outputs"])
    for (key, spec), output in zip(case["outputs"].items(), outputs, strict=True):
        exact = key in case.get("exact", ())
        tolerance = {"rtol": 0, "atol": 0} if exact else {k: case[k] for k in ("rtol", "atol")}
        expected = torch.from_numpy(stored[spec["array"]])
        torch.testing.assert_close(
            output.detach(), expected, equal_nan=True, **tolerance, msg=lambda m, k=key: f"{k}: {m}"
        )

    if not case["grads"]:
        return
    (upstream,) = case["upstream"].values()
    with NO_DEFAULT_DEVICE:
        gradients = torch.autograd.grad(
            outputs[0],
            [inputs[key] for key in case["grads"]],
            torch.from_numpy(stored[upstream["array"]]),
        )
    for (key, spec), gradient in zip(case["grads"].items(), gradients, strict=True):
        expected = torch.from_numpy(stored[spec["array"]])
        torch.testing.assert_close(
            gradient,
            expected,
            rtol=case["rtol"],
            atol=case["atol"],
            msg=lambda m, k=key: f"gradient of {k}: {m}",
        )
