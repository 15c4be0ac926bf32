import sys

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from vitdet.zoo.outcome import EXCUSED, NO, YES, Outcome
from vitdet.zoo.workers import Limits, check_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="classes here need a fork")


@MODELS.register_module(name="ZooTestFine")
class Fine(nn.Module):
    pass


@MODELS.register_module(name="ZooTestSlow")
class Slow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        while True:
            pass


@MODELS.register_module(name="ZooTestHungry")
class Hungry(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.zeros(2**30, device="cpu")  # 4 GiB


@MODELS.register_module(name="ZooTestCrashing")
class Crashing(nn.Module):
    """Builds, but ends the process when it is used."""

    def init_weights(self) -> None:
        import os

        os._exit(7)


def outcomes_of(own_config, *kinds: str, **options) -> dict[str, Outcome]:
    for kind in kinds:
        own_config(kind, f"model = dict(type='ZooTest{kind}')\ndefault_scope = 'mmengine'\n")
    return dict(check_all(kinds, **options))


def test_one_config_cannot_hurt_another(own_config) -> None:
    limits = Limits(gibibytes=2)
    kinds = ("Hungry", "Crashing", "Fine")
    outcomes = outcomes_of(own_config, *kinds, with_step=False, jobs=3, limits=limits)
    assert outcomes["Fine"] == outcomes["Crashing"] == Outcome(YES)
    assert outcomes["Hungry"].built == NO and "memory" in outcomes["Hungry"].reason


def test_what_takes_too_long_is_ended(own_config) -> None:
    outcomes = outcomes_of(own_config, "Slow", with_step=False, limits=Limits(seconds=1))
    assert outcomes["Slow"].built == NO and "takes more than 1" in outcomes["Slow"].reason


def test_a_process_that_ends_after_building_is_told(own_config) -> None:
    outcomes = outcomes_of(own_config, "Crashing", with_step=True)
    assert outcomes == {"Crashing": Outcome(YES, NO, "its process ended with 7")}


def test_files_without_a_model_and_missing_packages(own_config) -> None:
    own_config("parts", "train_cfg = dict(max_epochs=1)\n")
    own_config(
        "foreign", "custom_imports = dict(imports=['detectron2.layers'])\nmodel = dict(type='A')\n"
    )
    outcomes = dict(check_all(["parts", "foreign"], with_step=True))
    assert outcomes["parts"] == Outcome(EXCUSED, reason="holds no model")
    assert outcomes["foreign"] == Outcome(EXCUSED, reason="needs detectron2")
