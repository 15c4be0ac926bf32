"""Run-length codes against pycocotools."""

import numpy as np
from pycocotools import mask as coco_mask

from vitdet.datasets.run_lengths import boxes_and_areas, decode_counts


def blobs(count: int) -> list[np.ndarray]:
    """Masks of odd sizes, from almost empty to almost full."""
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 90, (count, 2))
    shares = np.linspace(0.001, 0.999, count)
    return [
        (generator.random(size) < share).astype(np.uint8)
        for size, share in zip(sizes, shares, strict=True)
    ]


def test_decoded_as_pycocotools_does() -> None:
    masks = [np.asfortranarray(mask) for mask in blobs(60)]
    codes = [coco_mask.encode(mask) for mask in masks]
    runs, offsets, is_valid = decode_counts([code["counts"] for code in codes])
    assert is_valid.all()
    for i, mask in enumerate(masks):
        own = runs[offsets[i] : offsets[i + 1]]
        values = np.arange(len(own)) % 2
        assert np.array_equal(np.repeat(values, own), mask.ravel(order="F"))
    boxes, areas = boxes_and_areas(runs, offsets, np.array([len(mask) for mask in masks]))
    assert areas.tolist() == [coco_mask.area(code) for code in codes]
    filled = areas > 0
    assert filled.sum() > 50
    expected = np.array([coco_mask.toBbox(code) for code in codes])
    # pycocotools takes the full height for any run over two columns, as is right, too.
    assert np.array_equal(boxes[filled], expected[filled])
    assert np.isnan(boxes[~filled]).all()


def test_what_is_no_code_is_said_to_be_none() -> None:
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 256, 30, dtype=np.uint8).tobytes() for _ in range(200)]
    good = coco_mask.encode(np.asfortranarray(np.eye(9, dtype=np.uint8)))["counts"]
    _, offsets, is_valid = decode_counts([b"", good, b"\xff", b"0P", *noise])
    assert is_valid[:4].tolist() == [False, True, False, False]
    assert np.all(np.diff(offsets)[~is_valid] >= 0)
    assert not is_valid[4:].any()
