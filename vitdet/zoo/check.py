"""Check one config: does its model build, train a step and predict?"""

from collections.abc import Iterator
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
        _build(path)
    except Exception as error:
        missing = excuse(error)
        yield Outcome(EXCUSED if missing else NO, reason=missing or shorten(error))
        return
    yield Outcome(YES)
    if with_step:
        yield _step(path)


def _build(path: Path) -> None:
    try:
        build_model(_read(path), "meta")
    except Exception:
        build_model(_read(path), "cpu")


def _step(path: Path) -> Outcome:
    """Step with the smallest images that the model takes."""
    for side in SIDES:
        try:
            step(_read(path), side)
        except Exception as error:
            last = error
        else:
            return Outcome(YES, YES)
    missing = excuse(last)
    return Outcome(YES, EXCUSED if missing else NO, missing or shorten(last))


def _read(path: Path) -> Config:
    """The config anew, since building a model uses its config up."""
    return Config.fromfile(path)
