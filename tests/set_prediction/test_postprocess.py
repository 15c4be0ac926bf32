import torch
from torch import Tensor

from vitdet.set_prediction.postprocess import (
    Detections,
    detections,
    masks_in_image,
    panoptic_segments,
)


def test_best_first_without_no_object_in_pixels_of_each_image() -> None:
    logits = torch.tensor([[[0.0, 2, 9], [3, 0, 0], [0, 1, 0]]]).expand(2, -1, -1)
    boxes = torch.tensor([0.5, 0.5, 0.2, 0.4]).expand(2, 3, 4)
    small, large = detections(logits, boxes, [(10, 20), (100, 200)], max_per_image=2)
    assert small.queries.tolist() == [1, 2] and small.labels.tolist() == [0, 1]
    assert small.scores[0] > small.scores[1]
    torch.testing.assert_close(small.boxes[0], torch.tensor([8.0, 3, 12, 7]))
    torch.testing.assert_close(large.boxes, 10 * small.boxes)


def test_masks_leave_the_padding_behind() -> None:
    """A 40x60 image in a batch of 80x80, shown at twice its size."""
    logits = torch.full((1, 20, 20), -9.0)
    logits[0, :5, :] = 9  # the upper half of the image, and beyond it
    (mask,) = masks_in_image(logits, batch_shape=(80, 80), img_shape=(40, 60), ori_shape=(80, 120))
    assert mask.shape == (80, 120)
    assert mask[:38].all() and not mask[42:].any()


def found(scores: list[float], labels: list[int]) -> Detections:
    count = len(scores)
    return Detections(
        torch.arange(count), torch.tensor(scores), torch.tensor(labels), torch.zeros(count, 4)
    )


def segments_of(objects: Detections, logits: Tensor) -> Tensor:
    size = tuple(logits.shape[1:])
    is_thing = torch.tensor([True, False])
    shapes = dict(batch_shape=size, img_shape=size, ori_shape=size)
    return panoptic_segments(objects, logits, is_thing=is_thing, **shapes)


def stripes(*columns: slice) -> Tensor:
    logits = torch.zeros(len(columns), 8, 16)
    for mask, where in zip(logits, columns, strict=True):
        mask[:, where] = 5
    return logits


def test_things_are_counted_and_stuff_is_one() -> None:
    logits = stripes(slice(0, 4), slice(4, 8), slice(8, 12), slice(12, 16))
    row = segments_of(found([0.9] * 4, [0, 1, 0, 1]), logits)[0]
    assert row.tolist() == [1000] * 4 + [1] * 4 + [2000] * 4 + [1] * 4


def test_unsure_and_tiny_segments_go_to_the_others() -> None:
    logits = stripes(slice(0, 8), slice(8, 16), slice(0, 16), slice(0, 0))
    logits[3, 0, :3] = 9  # three pixels
    segments = segments_of(found([0.9, 0.9, 0.5, 0.9], [0, 1, 0, 0]), logits)
    assert segments[0].tolist() == [1000] * 8 + [1] * 8


def test_nothing_found() -> None:
    assert (segments_of(found([0.1], [0]), stripes(slice(0, 4))) == 2).all()
