"""The states of this process's random generators: read, set again, or seeded for one sample."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device


def random_state() -> dict[str, Any]:
    """States of Python's, numpy's and torch's generators, and of the device's where it has one.

    All of it is plain data and tensors, so that a checkpoint can hold it.
    """
    state = dict(python=random.getstate(), torch=torch.get_rng_state())
    name, keys, position, has_gauss, gauss = np.random.get_state()
    state["numpy"] = (name, keys.tolist(), position, has_gauss, gauss)
    if get_device() != "cpu":
        state["device"] = torch.get_device_module(get_device()).get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Set the generators to what `random_state` returned; not a device that is not there."""
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"].cpu())
    np.random.set_state(state["numpy"])
    if "device" in state and get_device() != "cpu":
        torch.get_device_module(get_device()).set_rng_state(state["device"].cpu())


def seed_generators(numbers: Sequence[int]) -> None:
    """Seed Python's, numpy's and torch's CPU generator from `numbers`, none negative.

    Different numbers give independent streams (numpy's SeedSequence).
    """
    words = np.random.SeedSequence(numbers).generate_state(6)
    random.seed(int(words[0]) << 32 | int(words[1]))
    np.random.seed(words[2:4])
    # Not torch.manual_seed: in a worker it would queue a call for each CUDA device, each time.
    torch.default_generator.manual_seed(int(words[4]) << 32 | int(words[5]))
