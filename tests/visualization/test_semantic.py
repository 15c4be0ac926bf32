import numpy as np
import pytest
from PIL import Image

from vitdet.visualization.colours import class_colour
from vitdet.visualization.semantic import (
    LegendEntry,
    class_colours,
    draw_legend,
    draw_semantic,
    index_png,
    legend_entries,
    tint,
)

NAMES = ["background", "cat", "dog"]
COLOURS = [(0, 0, 0), (200, 0, 0), (0, 0, 200)]


@pytest.fixture
def labels() -> np.ndarray:
    """Background with a cat left, a smaller dog right, and a corner that is no class."""
    labels = np.zeros((40, 60), np.uint8)
    labels[10:30, 5:25] = 1
    labels[15:25, 40:50] = 2
    labels[:5, :5] = 255
    return labels


def test_tint_by_class(labels: np.ndarray) -> None:
    image = np.full((40, 60, 3), 100, np.uint8)
    opaque = np.asarray(tint(image, labels, COLOURS, opacity=1))
    assert (opaque[12:28, 7:23] == (200, 0, 0)).all()
    assert (opaque[17:23, 42:48] == (0, 0, 200)).all()
    assert (opaque[:4, :4] == 100).all()
    assert np.asarray(tint(image, labels, COLOURS, opacity=0.5))[20, 15].tolist() == [150, 50, 50]
    assert (image == 100).all()
    large = np.asarray(tint(image, labels, COLOURS, scale=2, opacity=1))
    assert large.shape == (80, 120, 3) and (large[26:54, 16:44] == (200, 0, 0)).all()


def test_the_legend_names_what_is_there(labels: np.ndarray) -> None:
    entries = legend_entries([labels], NAMES, COLOURS)
    assert [entry.name for entry in entries] == NAMES
    assert entries[1].share == 400 / 2400 and entries[1].colour == COLOURS[1]
    both = legend_entries([np.full((2, 2), 2), np.full((2, 2), -1)], NAMES, COLOURS)
    assert both == [LegendEntry("dog", COLOURS[2])]


@pytest.mark.parametrize("number", [0, 1, 150])
def test_legends_of_any_length_keep_their_room(number: int) -> None:
    entries = [LegendEntry(f"class number {k}", class_colour(k), 0.5**k) for k in range(number)]
    picture = draw_legend(entries, (300, 120))
    assert picture.width == 300 and picture.height <= 120
    colours = {colour for _, colour in picture.getcolors(300 * 120)}
    shown = sum(entry.colour in colours for entry in entries)
    assert shown == number if number < 2 else 5 < shown < number


def test_draw_adds_the_legend_below(labels: np.ndarray) -> None:
    image = np.full((200, 300, 3), 100, np.uint8)
    large = np.kron(labels, np.ones((5, 5), np.uint8))
    picture = draw_semantic(image, large, class_names=NAMES, colours=COLOURS)
    assert picture.width == 300 and 200 < picture.height <= 200 + 66
    below = np.asarray(picture)[200:]
    for colour in COLOURS:
        assert (below == colour).all(axis=-1).any()


def test_index_png_loads_back(labels: np.ndarray, tmp_path) -> None:
    index_png(labels, COLOURS).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as back:
        assert back.mode == "P" and (np.asarray(back) == labels).all()
        assert back.convert("RGB").getpixel((15, 20)) == COLOURS[1]


def test_colours_are_the_datas_own_or_ours() -> None:
    own = [(1, 2, 3), [4, 5, 6], (7, 8, 9)]
    assert class_colours({"classes": NAMES, "palette": own}) == [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
    ours = class_colours({"classes": NAMES})
    assert ours[1:] == [class_colour(0), class_colour(1)]  # as in drawings without background
    state = np.random.get_state()
    np.random.seed(42)  # as mmseg fills in what is missing
    filled_in = np.random.randint(0, 255, size=(3, 3)).tolist()
    np.random.set_state(state)
    assert class_colours({"classes": NAMES, "palette": filled_in}) == ours
