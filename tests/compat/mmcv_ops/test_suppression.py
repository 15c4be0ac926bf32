"""The suppressions against their definitions, one pair of boxes at a time."""

import numpy as np
import pytest
import torch
from mmcv.ops import nms, nms_match, soft_nms
from torch import Tensor


def boxes_and_scores(num_boxes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Crowded boxes on a grid, so that IoUs and scores coincide often."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.randint(0, 12, (num_boxes, 2), generator=generator).float()
    size = torch.randint(1, 9, (num_boxes, 2), generator=generator).float()
    scores = torch.randint(1, 9, (num_boxes,), generator=generator) / 8
    return torch.cat([corner, corner + size], dim=1), scores


def iou(a: np.ndarray, b: np.ndarray) -> np.float32:
    width = max(np.float32(0), min(a[2], b[2]) - max(a[0], b[0]))
    height = max(np.float32(0), min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (areas[0] + areas[1] - width * height)


@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
@pytest.mark.parametrize("seed", range(4))
def test_soft_nms_visits_boxes_in_the_defined_order(method: str, seed: int) -> None:
    boxes, scores = boxes_and_scores(60, seed)
    threshold, sigma, min_score = np.float32(0.3), np.float32(0.5), np.float32(0.2)
    rows = [[*boxes[i].numpy(), np.float32(scores[i]), i] for i in range(60)]
    i = 0
    while i < len(rows):
        best = max(range(i, len(rows)), key=lambda k: rows[k][4])
        rows[i], rows[best] = rows[best], rows[i]
        position = i + 1
        while position < len(rows):
            overlap = iou(rows[i], rows[position])
            decay = {
                "naive": np.float32(0 if overlap >= threshold else 1),
                "linear": 1 - overlap if overlap >= threshold else np.float32(1),
                "gaussian": np.exp(-(overlap * overlap) / sigma),
            }[method]
            rows[position][4] *= decay
            if rows[position][4] < min_score:
                rows[position] = rows[-1]
                rows.pop()
            else:
                position += 1
        i += 1

    dets, kept = soft_nms(boxes, scores, 0.3, 0.5, 0.2, method)

    assert kept.tolist() == [row[5] for row in rows]
    torch.testing.assert_close(dets, torch.tensor([[float(v) for v in row[:5]] for row in rows]))


@pytest.mark.parametrize("seed", range(4))
def test_nms_match_groups_each_box_under_the_first_that_suppresses_it(seed: int) -> None:
    boxes, scores = boxes_and_scores(60, seed)
    expected: list[list[int]] = []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        for group in expected:
            if iou(boxes[group[0]].numpy(), boxes[i].numpy()) >= np.float32(0.4):
                group.append(i)
                break
        else:
            expected.append([i])

    groups = nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.4)

    assert [group.tolist() for group in groups] == expected


def test_nms_takes_boxes_of_any_dtype_that_require_gradients() -> None:
    boxes, scores = boxes_and_scores(60, 0)
    _, expected = nms(boxes, scores, 0.4)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):  # the grid is exact in all
        _, kept = nms(boxes.to(dtype).requires_grad_(), scores.to(dtype), 0.4)
        assert kept.tolist() == expected.tolist()
