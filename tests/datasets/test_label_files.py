"""Label files of every kind become the same labels, and damaged ones are named."""

from pathlib import Path

import numpy as np
import pytest
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from vitdet.datasets import LoadLabels
from vitdet.datasets.label_files import label_pixels, mmseg_lookup, read_palette, read_values
from vitdet.datasets.label_table import LabelTable
from vitdet.errors import UserError

VALUES = np.random.default_rng(0).integers(0, 5, (9, 7), dtype=np.uint8)
COLOURS = np.uint8([[10, 0, 0], [0, 20, 0], [0, 0, 30], [40, 40, 0], [50, 50, 50]])


def saved(folder: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    path = folder / "labels.png"
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def test_grey_palette_and_alpha_hold_the_same_values(tmp_path: Path) -> None:
    assert np.array_equal(read_values(saved(tmp_path, VALUES)), VALUES)
    assert read_palette(tmp_path / "labels.png") is None
    assert np.array_equal(read_values(saved(tmp_path, VALUES, "LA")), VALUES)
    assert np.array_equal(read_values(saved(tmp_path, VALUES, "RGB")), VALUES)
    image = Image.fromarray(VALUES, "L")
    image.putpalette(COLOURS.ravel().tolist())
    image.save(tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as reopened:
        assert reopened.mode == "P"
    assert np.array_equal(read_values(tmp_path / "labels.png"), VALUES)
    palette = read_palette(tmp_path / "labels.png")
    assert palette[:5] == [tuple(colour) for colour in COLOURS.tolist()] and len(palette) == 256


def test_bits_are_zero_and_one(tmp_path: Path) -> None:
    bits = VALUES > 2
    assert np.array_equal(read_values(saved(tmp_path, bits)), bits.astype(np.uint8))


def test_colours_are_what_the_table_says(tmp_path: Path) -> None:
    stands_for = [7, 0, 3, 200, 1]
    colours = {tuple(c): v for c, v in zip(COLOURS.tolist(), stands_for, strict=True)}
    expected = np.uint8(stands_for)[VALUES]
    for mode in ("RGB", "RGBA"):
        path = saved(tmp_path, COLOURS[VALUES], mode)
        assert np.array_equal(read_values(path, colours), expected)
    table = LabelTable(("a", "b"), (3, 7), frozenset({0, 1, 200}), colours)
    labels = label_pixels(path, table)
    assert np.array_equal(labels == 1, VALUES == 0) and np.array_equal(labels == 0, VALUES == 2)
    assert (labels[(VALUES == 1) | (VALUES > 2)] == 255).all()


def test_what_is_no_label_file_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, COLOURS[VALUES])
    with pytest.raises(UserError, match=r"three channels, and nothing says .* index PNG"):
        read_values(path)
    pixels = (VALUES == 4).sum()
    known = {tuple(colour): k for k, colour in enumerate(COLOURS[:4].tolist())}
    with pytest.raises(UserError, match=f"{pixels} pixels of the colour 50 50 50 or others"):
        read_values(path, known)
    with pytest.raises(UserError, match="more than 8 bits"):
        read_values(saved(tmp_path, VALUES.astype(np.uint16)))
    path.write_bytes(saved(tmp_path, np.tile(VALUES, (30, 30))).read_bytes()[:150])
    with pytest.raises(UserError, match=r"labels\.png is damaged or no image"):
        read_values(path)
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        read_values(path)


@pytest.mark.parametrize("reduce_zero_label", [False, True])
@pytest.mark.parametrize("label_map", [None, {0: 255, 1: 0, 2: 255, 3: 1, 4: 2}])
def test_labels_of_mmsegs_data_sets_are_mmsegs(
    tmp_path: Path, reduce_zero_label: bool, label_map: dict[int, int] | None
) -> None:
    values = np.concatenate([VALUES, np.uint8([[0, 1, 2, 3, 4, 5, 255]])])

    def loaded(transform) -> np.ndarray:
        results = dict(seg_map_path=str(saved(tmp_path, values)), seg_fields=[])
        results |= dict(reduce_zero_label=reduce_zero_label, label_map=label_map)
        results = transform(results)
        assert results["seg_fields"] == ["gt_seg_map"]
        return results["gt_seg_map"]

    ours = loaded(LoadLabels())
    assert ours.dtype == np.uint8
    assert np.array_equal(ours, loaded(LoadAnnotations()))
    assert mmseg_lookup(reduce_zero_label=True, label_map=None)[[0, 1, 150, 255]].tolist() == [
        *(255, 0, 149, 255)
    ]


def test_a_value_that_no_check_saw_stops_the_training(tmp_path: Path) -> None:
    table = LabelTable(("a", "b"), (0, 1))
    with pytest.raises(UserError, match=r"labels\.png has the value [234]"):
        label_pixels(saved(tmp_path, VALUES), table)
