"""Lines as SVG: well-formed, and where the values say."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from vitdet.report.chart import line_chart


def points(svg: str) -> list[np.ndarray]:
    lines = ET.fromstring(svg).iter("polyline")
    return [
        np.array([point.split(",") for point in line.get("points").split()], float)
        for line in lines
    ]


def test_points_lie_in_proportion_and_upwards() -> None:
    svg = line_chart([("a", ([0, 1, 4], [0, 5, 10])), ("b", ([2], [5]))], x_name="step")
    line, single = points(svg)
    x, y = line.T
    assert (x[1] - x[0]) / (x[2] - x[0]) == pytest.approx(1 / 4, abs=0.01)
    assert y[0] > y[1] > y[2] > 0
    assert y[1] == pytest.approx((y[0] + y[2]) / 2, abs=0.1)
    assert single[0] == pytest.approx([(x[0] + x[2]) / 2, y[1]], abs=0.1)
    assert x.max() <= 480


def test_names_are_text() -> None:
    svg = line_chart([("<a> & b", ([0, 1], [0, 1]))], x_name="a < b")
    texts = [text.text for text in ET.fromstring(svg).iter("text")]
    assert {"<a> & b", "a < b"} <= set(texts)


@pytest.mark.parametrize("value", [0, 3, -2, 1e-7, 1e9])
def test_a_constant_or_single_value(value: float) -> None:
    for curve in (([5], [value]), ([5, 6], [value, value])):
        (line,) = points(line_chart([("", curve)], x_name="step"))
        assert np.isfinite(line).all()
        assert (line > 0).all() and (line < 480).all()
