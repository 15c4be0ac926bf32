import itertools

import numpy as np
import pytest

from vitdet.visualization.colours import class_colour, text_colour


def test_classes_near_in_number_are_far_in_colour():
    colours = np.array([class_colour(label) for label in range(80)], dtype=float)
    assert len({tuple(colour) for colour in colours}) == 80
    for a, b in itertools.combinations(range(10), 2):
        assert np.abs(colours[a] - colours[b]).sum() > 90
    for label in range(79):
        assert np.abs(colours[label] - colours[label + 1]).sum() > 90


@pytest.mark.parametrize("label", range(80))
def test_text_stands_out(label):
    def luminance(colour):  # WCAG 2, relative luminance
        linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    background = class_colour(label)
    low, high = sorted([luminance(background), luminance(text_colour(background))])
    assert (high + 0.05) / (low + 0.05) > 3
