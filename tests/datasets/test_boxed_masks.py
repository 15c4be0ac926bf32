import pickle
from collections.abc import Callable

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as coco_mask

from vitdet.datasets.boxed_masks import BoxedMasks, codes_of

HEIGHT, WIDTH = 37, 53


def pixels(seed: int = 0) -> np.ndarray:
    """Scattered blobs, one that touches all borders, one of the last pixel, and one of nothing."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((6, HEIGHT, WIDTH), np.uint8)
    for mask in masks[:3]:
        y, x = rng.integers(0, 25, 2)
        mask[y : y + 11, x : x + 17] = rng.random((min(11, HEIGHT - y), min(17, WIDTH - x))) < 0.4
    masks[3, 0], masks[3, -1], masks[3, :, 0], masks[3, :, -1] = 1, 1, 1, 1
    masks[4, -1, -1] = 1
    return masks


def pair(seed: int = 0) -> tuple[BoxedMasks, BitmapMasks]:
    masks = pixels(seed)
    codes = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
    ours = BoxedMasks.from_codes(codes, (HEIGHT, WIDTH))
    return ours, BitmapMasks(masks, HEIGHT, WIDTH)


def assert_same(ours: BoxedMasks, theirs: BitmapMasks) -> None:
    assert (ours.height, ours.width) == (theirs.height, theirs.width)
    np.testing.assert_array_equal(ours.areas, theirs.areas)
    boxes, expected = ours.get_bboxes(HorizontalBoxes), theirs.get_bboxes(HorizontalBoxes)
    np.testing.assert_array_equal(boxes.numpy(), expected.numpy())
    np.testing.assert_array_equal(ours.masks, theirs.masks)
    assert ours.masks.dtype == theirs.masks.dtype


STEPS: dict[str, Callable[[BitmapMasks], BitmapMasks]] = {
    "nothing": lambda masks: masks,
    "enlarged": lambda masks: masks.rescale((133, 80)),
    "shrunk": lambda masks: masks.rescale((20, 9)),
    "stretched": lambda masks: masks.resize((11, 200)),
    "flipped": lambda masks: masks.flip("horizontal"),
    "flipped upside down": lambda masks: masks.flip("vertical"),
    "turned": lambda masks: masks.flip("diagonal"),
    "cropped": lambda masks: masks.crop(np.array([7, 3, 30, 22])),
    "cropped beyond": lambda masks: masks.crop(np.array([20, 30, 900, 900])),
    "padded": lambda masks: masks.pad((40, 60)),
    "padded with ones": lambda masks: masks.pad((40, 60), 1),
    "chosen": lambda masks: masks[np.array([3, 1])],
    "filtered": lambda masks: masks[np.array([False, True, False, True, True, False])],
    "one": lambda masks: masks[2],
    "none": lambda masks: masks[np.zeros(6, bool)].rescale((90, 90)).flip().crop(np.arange(4)),
    "expanded": lambda masks: masks.expand(60, 80, 5, 7),
    "moved": lambda masks: masks.translate((HEIGHT, WIDTH), 4),
    "all at once": lambda masks: (
        masks.flip().rescale((97, 61)).crop(np.array([9, 9, 70, 50])).flip("vertical").pad((64, 64))
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_pixels_areas_and_boxes_are_those_of_mmdets_bitmaps(
    step: Callable[[BitmapMasks], BitmapMasks],
) -> None:
    ours, theirs = pair()
    assert_same(step(ours), step(theirs))


@pytest.mark.parametrize("size", [(1333, 800), (31, 47), (54, 38), (500, 13)])
def test_any_scale_takes_the_same_pixels(size: tuple[int, int]) -> None:
    for seed in range(3):
        ours, theirs = pair(seed)
        assert_same(ours.resize(size), theirs.resize(size))


def test_another_process_gets_crops_only() -> None:
    ours, theirs = pair()
    ours = ours.resize((740, 1060))
    assert ours.masks.nbytes > 4e6
    sent = pickle.dumps(ours[np.arange(3)])
    assert len(sent) < 4e5
    assert_same(pickle.loads(sent), theirs.resize((740, 1060))[np.arange(3)])


def test_masks_joined_or_set_are_as_with_mmdet() -> None:
    ours, theirs = pair()
    joined = BoxedMasks.cat([ours, ours[np.array([1])]])
    assert_same(joined, BitmapMasks.cat([theirs, theirs[np.array([1])]]))
    ours.masks = 1 - ours.masks
    assert_same(ours, BitmapMasks(1 - theirs.masks, HEIGHT, WIDTH))


def test_polygons_and_codes_of_one_image_are_coded_each() -> None:
    square = np.array([2.3, 3.1, 12.5, 3.1, 12.5, 20.2, 2.3, 20.2])
    far = square + 17
    plain = dict(size=[HEIGHT, WIDTH], counts=[5, 3, HEIGHT * WIDTH - 8])
    packed = coco_mask.frPyObjects(plain, HEIGHT, WIDTH)
    text = dict(packed, counts=packed["counts"].decode())
    given = [[square], [square, far], plain, text, [np.zeros(6)]]
    ours = BoxedMasks.from_codes(codes_of(given, HEIGHT, WIDTH), (HEIGHT, WIDTH))
    expected = [
        coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(one, HEIGHT, WIDTH)))
        if isinstance(one, list)
        else coco_mask.decode(packed)
        for one in given
    ]
    np.testing.assert_array_equal(ours.masks, expected)


@pytest.mark.parametrize(
    "counts, size, message",
    [
        (b"04P1", (HEIGHT, WIDTH), "do not fit"),
        (b"0", (HEIGHT, WIDTH), "do not fit"),
        (b"~~", (HEIGHT, WIDTH), "do not fit"),
        (b"04P1", (4, 4), "masks of"),
    ],
)
def test_codes_that_do_not_fit_are_refused(
    counts: bytes, size: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        BoxedMasks.from_codes([dict(size=list(size), counts=counts)], (HEIGHT, WIDTH))
