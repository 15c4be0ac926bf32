import torch
import torchvision

from vitdet.set_prediction.boxes import cxcywh_to_xyxy, generalized_iou, xyxy_to_cxcywh


def random_boxes(*shape: int) -> torch.Tensor:
    boxes = torch.rand(*shape, 4, generator=torch.Generator().manual_seed(sum(shape)))
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=-1)


def test_formats_are_each_others_inverse() -> None:
    boxes = random_boxes(5, 3)
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)
    assert xyxy_to_cxcywh(torch.tensor([1.0, 2, 5, 4])).tolist() == [3, 3, 4, 2]


def test_generalized_iou_is_torchvisions() -> None:
    boxes, others = random_boxes(6), random_boxes(4)
    expected = torchvision.ops.generalized_box_iou(boxes, others)
    torch.testing.assert_close(generalized_iou(boxes[:, None], others), expected)
    one_by_one = torchvision.ops.generalized_box_iou(boxes[:4], others).diag()
    torch.testing.assert_close(generalized_iou(boxes[:4], others), one_by_one)


def test_boxes_without_area_have_finite_values_and_gradients() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.1, 0.1, 0.3, 0.1]], requires_grad=True)
    values = generalized_iou(boxes[:, None], boxes.detach())
    assert values.isfinite().all() and (values.abs() <= 1).all()
    values.sum().backward()
    assert boxes.grad.isfinite().all()


def test_gradients() -> None:
    boxes = random_boxes(3).double().requires_grad_()
    others = random_boxes(3).flip(0).double() + 0.01
    assert torch.autograd.gradcheck(lambda b: generalized_iou(b, others), boxes)
