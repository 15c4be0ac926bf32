import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from vitdet.evaluation import rle
from vitdet.evaluation.rle import decode_masks, encode_masks, segmentation_to_rle


@pytest.mark.parametrize("shape", [(3, 7, 11), (1, 1, 1), (0, 5, 6)])
@pytest.mark.parametrize("kind", ["bool tensor", "uint8 array", "strided tensor"])
def test_encoding_is_that_of_pycocotools_mask_by_mask(shape, kind):
    masks = np.random.default_rng(0).random(shape) > 0.5
    expected = [coco_mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in masks]
    given = {
        "bool tensor": torch.from_numpy(masks),
        "uint8 array": masks.astype(np.uint8) * 255,
        "strided tensor": torch.from_numpy(masks.transpose(2, 1, 0).copy()).permute(2, 1, 0),
    }[kind]
    codes = encode_masks(given)
    assert [code["counts"].encode() for code in codes] == [code["counts"] for code in expected]
    assert all(code["size"] == list(shape[1:]) for code in codes)
    np.testing.assert_array_equal(decode_masks(codes, *shape[1:]), masks)


def test_masks_of_any_extent() -> None:
    """Whole columns, whole rows, one pixel, the last pixel, everything, nothing."""
    masks = np.zeros((9, 6, 5), dtype=bool)
    masks[0, :, 1:4] = masks[1, 2] = masks[2, 3, 2] = masks[3, -1, -1] = masks[4] = True
    masks[6, :, 0] = masks[6, ::2, 1] = masks[6, :, 2] = masks[7, 0, 0] = True
    masks[8, 1:3, 1:3] = masks[8, 5, 4] = True
    expected = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    codes = encode_masks(masks)
    assert [code["counts"].encode() for code in codes] == [code["counts"] for code in expected]


def test_masks_on_another_device_are_copied_as_crops() -> None:
    masks = torch.rand(5, 20, 30, generator=torch.Generator().manual_seed(0)) > 0.9
    masks[1] = False
    crops = list(rle.crops_on_device(masks))
    for mask, (crop, y, x) in zip(masks.numpy(), crops, strict=True):
        whole = np.zeros_like(mask)
        whole[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        np.testing.assert_array_equal(whole, mask)


def test_every_form_of_coco_segmentation():
    polygon = [[1, 1, 4, 1, 4, 5, 1, 5]]
    runs = {"size": [6, 5], "counts": [7, 4, 2, 4, 2, 4, 7]}
    codes = [segmentation_to_rle(form, 6, 5) for form in (polygon, runs)]
    codes.append(segmentation_to_rle(codes[0], 6, 5))
    codes.append(segmentation_to_rle({**codes[0], "counts": codes[0]["counts"].encode()}, 6, 5))
    expected = np.zeros((6, 5), dtype=bool)
    expected[1:5, 1:4] = True
    for mask in decode_masks(codes, 6, 5):
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_nothing_is_not_a_segmentation(segmentation):
    with pytest.raises(ValueError, match="not a COCO segmentation"):
        segmentation_to_rle(segmentation, 6, 5)
