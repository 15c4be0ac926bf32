import numpy as np
import pytest

from vitdet.data_check.box_layout import BoxLayout, recognise_layouts, to_xywh

SIZE = np.array([640.0, 480.0])


def boxes_in_pixels(count: int = 60, *, seed: int = 0) -> np.ndarray:
    """x, y, width, height within the image, as objects are: anywhere, of many sizes."""
    generator = np.random.default_rng(seed)
    size = generator.uniform(0.05, 0.5, (count, 2)) * SIZE
    corner = generator.uniform(0, 1, (count, 2)) * (SIZE - size)
    return np.concatenate([corner, size], axis=1)


def written_as(layout: BoxLayout, boxes: np.ndarray) -> np.ndarray:
    boxes = boxes / np.tile(SIZE, 2) if layout.is_normalised else boxes.copy()
    if layout.has_corners:
        boxes[:, 2:] += boxes[:, :2]
    if layout.has_centre:
        boxes[:, :2] += boxes[:, 2:] / 2
    return boxes


def recognised(boxes: np.ndarray, *, masks: np.ndarray | None = None) -> np.ndarray:
    nothing = np.full(boxes.shape, np.nan)
    sizes = np.broadcast_to(SIZE, (len(boxes), 2))
    areas = np.full(len(boxes), np.nan)
    return recognise_layouts(boxes, sizes, nothing if masks is None else masks, areas)


@pytest.mark.parametrize("layout", BoxLayout)
@pytest.mark.parametrize("with_masks", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_recognised_and_converted(layout: BoxLayout, with_masks: bool, seed: int) -> None:
    boxes = boxes_in_pixels(seed=seed)
    written = written_as(layout, boxes)
    layouts = recognised(written, masks=boxes if with_masks else None)
    # With masks each box is judged alone, and one may lie so that two layouts are near it.
    assert np.mean(layouts == layout) >= (0.8 if with_masks else 1)
    assert np.allclose(to_xywh(written, layout, np.broadcast_to(SIZE, (60, 2))), boxes)


def test_a_few_careless_boxes_are_no_other_layout() -> None:
    boxes = boxes_in_pixels()
    boxes[:5, 2:] = SIZE  # reach far out
    assert (recognised(boxes) == BoxLayout.XYWH).all()


def test_boxes_of_one_pixel_are_not_normalised() -> None:
    boxes = boxes_in_pixels()
    boxes[:3] = [[0, 0, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1]]
    assert (recognised(boxes) == BoxLayout.XYWH).all()


def test_the_area_tells_corners_of_a_single_box() -> None:
    boxes = np.array([[100.0, 100, 300, 250]])
    nothing = np.full((1, 4), np.nan)
    for area, layout in ((200 * 150, BoxLayout.CORNERS), (300 * 250, BoxLayout.XYWH)):
        found = recognise_layouts(boxes, SIZE[None], nothing, np.array([float(area)]))
        assert found.tolist() == [layout]
