"""Configs that the check cannot tell apart: same model, other data, schedule or image size."""

import json
from collections.abc import Iterable

from mmengine.config import Config

from vitdet.zoo.configs import find_zoo_config
from vitdet.zoo.one_step import what_is_stepped


def find_twins(names: Iterable[str]) -> dict[str, str]:
    """For each name the first of `names` whose step is the same: often itself."""
    first: dict[str, str] = {}
    return {name: first.setdefault(_step_of(name), name) for name in names}


def _step_of(name: str) -> str:
    config = Config.fromfile(find_zoo_config(name))
    return json.dumps(what_is_stepped(config), sort_keys=True, default=str)
