"""Check one config: does its model build, train a step and predict?"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from vitdet.zoo.configs import find_zoo_config
from vitdet.zoo.one_step import SIDES, build_model, step
from vitdet.zoo.outcome import EXCUSED, NO, YES, Outcome, excuse, shorten


def check_config(name: str, *, with_step: bool) -> Iterator[Outcome]:
    """Outcome of building the model and then, if asked, of a step with it; never raises.

    The model is built on the meta device, or on the CPU if it needs real numbers to be built.
    """
    path = find_zoo_config(name)
    try:
        if "type" not in (_read(path).get("model") or {}):
            yield Outcome(EXCUSED, reason="holds no model")
            return
        built = Outcome(YES, parameters=_build(path))
    except Exception as error:
        missing = excuse(error)
        yield Outcome(EXCUSED if missing else NO, reason=missing or shorten(error))
        return
    yield built
    if with_step:
        stepped, reason = _step(path)
        yield replace(built, stepped=stepped, reason=reason)


def _build(path: Path) -> int:
    """Build the model; how many parameters it has."""
    try:
        model = build_model(_read(path), "meta")
    except Exception:
        model = build_model(_read(path), "cpu")
    return sum(parameter.numel() for parameter in model.parameters())


def _step(path: Path) -> tuple[str, str]:
    """Whether a step works, with the smallest images that the model takes, and why not."""
    for side in SIDES:
        try:
            step(_read(path), side)
        except Exception as error:
            last = error
        else:
            return YES, ""
    missing = excuse(last)
    return EXCUSED if missing else NO, missing or shorten(last)


def _read(path: Path) -> Config:
    """The config anew, since building a model uses its config up."""
    return Config.fromfile(path)
