"""A random sample of the zoo builds, and a part of it trains a step and predicts."""

import random

from vitdet.zoo.configs import LIBRARIES, zoo_names
from vitdet.zoo.outcome import EXCUSED, YES, Outcome
from vitdet.zoo.workers import check_all


def test_sixty_build_and_the_twelve_smallest_step() -> None:
    names = [name for library in LIBRARIES for name in zoo_names(library)]
    random.Random(6).shuffle(names)
    built: dict[str, Outcome] = {}
    while len(built) < 60:
        part, names = names[: 60 - len(built)], names[60 - len(built) :]
        found = check_all(part, with_step=False)
        built |= {name: one for name, one in found if one.built != EXCUSED}
    assert {name: one for name, one in built.items() if one != Outcome(YES)} == {}

    smallest = sorted(built, key=lambda name: built[name].parameters)[:12]
    assert len({name.partition("::")[0] for name in smallest}) == 2  # both libraries
    stepped = dict(check_all(smallest, with_step=True))
    assert {name: one for name, one in stepped.items() if one != Outcome(YES, YES)} == {}
