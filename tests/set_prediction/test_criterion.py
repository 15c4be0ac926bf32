"""The criterion gives the reference's loss terms, gradients and matches."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.reference.fixtures import Fixture
from vitdet.set_prediction import HungarianMatcher, SetCriterion, Targets, pad_targets

FIXTURES = [f"detr_criterion_{name}" for name in ("a", "b_all_empty", "c_coco", "d_masks")]
UNWEIGHTED = dict(class_weight=1, l1_weight=1, giou_weight=1, mask_weight=1, dice_weight=1)


def predictions(fixture: Fixture) -> tuple[Tensor, Tensor]:
    """Logits and boxes of all layers; the last layer, whose gradients are known, is a leaf."""
    values = fixture.values
    names = [f"in.aux{layer}." for layer in range(fixture.args["aux_layers"])] + ["in."]
    logits, boxes = (
        torch.stack([torch.from_numpy(values[name + what]) for name in names])
        for what in ("pred_logits", "pred_boxes")
    )
    return logits.requires_grad_(), boxes.requires_grad_()


def targets_in(fixture: Fixture) -> Targets:
    def of(what: str) -> list[Tensor]:
        count = len(fixture.args["targets_per_image"])
        return [torch.from_numpy(fixture.values[f"in.target{i}.{what}"]) for i in range(count)]

    masks = of("masks") if "masks" in fixture.args["losses"] else None
    return pad_targets(of("labels"), of("boxes"), masks=masks)


@pytest.mark.parametrize("name", FIXTURES)
def test_matches_are_the_references(name: str) -> None:
    fixture = Fixture(name)
    matches = HungarianMatcher()(*predictions(fixture), targets_in(fixture))
    num_layers = len(matches.queries)
    for layer in range(num_layers):
        prefix = "" if layer == num_layers - 1 else f"aux{layer}."
        for image in range(len(fixture.args["targets_per_image"])):
            here = matches.images == image
            key = f"{prefix}match{image}."
            for found, what in ((matches.queries, "pred"), (matches.objects, "target")):
                expected = fixture.values[f"{key}{what}_index"]
                assert np.array_equal(found[layer, here].numpy(), expected)


@pytest.mark.parametrize("name", FIXTURES)
def test_loss_terms_and_gradients(name: str) -> None:
    fixture = Fixture(name)
    logits, boxes = predictions(fixture)
    masks_of, mask_logits = None, None
    if "masks" in fixture.args["losses"]:
        mask_logits = torch.from_numpy(fixture.values["in.pred_masks"]).requires_grad_()
        masks_of = lambda images, queries: mask_logits[images, queries]  # noqa: E731
    criterion = SetCriterion(
        fixture.args["num_classes"],
        HungarianMatcher(),
        no_object_weight=fixture.args["eos_coef"],
        **UNWEIGHTED,
    )
    losses = criterion(logits, boxes, targets_in(fixture), masks_of=masks_of)
    expected = {k.removeprefix("loss."): k for k in fixture.values if k.startswith("loss.")}
    assert losses.keys() == expected.keys()
    for key, value in losses.items():
        reference = fixture.values[expected[key]].item()
        assert value.item() == pytest.approx(reference, rel=1e-5, abs=1e-7), key
    total = losses["loss_ce"] + 5 * losses["loss_bbox"] + 2 * losses["loss_giou"]
    if masks_of is not None:
        total = total + losses["loss_mask"] + losses["loss_dice"]
    total.backward()
    fixture.assert_close("grad.pred_logits", logits.grad[-1])
    fixture.assert_close("grad.pred_boxes", boxes.grad[-1])
    if mask_logits is not None:
        fixture.assert_close("grad.pred_masks", mask_logits.grad)


def random_case(
    counts: tuple[int, ...], *, num_layers: int = 2, num_queries: int = 6, num_classes: int = 4
) -> tuple[Tensor, Tensor, Targets]:
    generator = torch.Generator().manual_seed(0)
    shape = (num_layers, len(counts), num_queries)
    logits = torch.randn(*shape, num_classes + 1, generator=generator)
    boxes = torch.rand(*shape, 4, generator=generator) * 0.4 + 0.3
    labels = [torch.randint(num_classes, (n,), generator=generator) for n in counts]
    objects = [torch.rand(n, 4, generator=generator) * 0.4 + 0.3 for n in counts]
    return logits, boxes, pad_targets(labels, objects)


def test_weights_and_names() -> None:
    logits, boxes, targets = random_case((2, 1))
    plain = SetCriterion(4, HungarianMatcher(), **UNWEIGHTED)(logits, boxes, targets)
    weighted = SetCriterion(4, HungarianMatcher(), l1_weight=3)(logits, boxes, targets)
    assert weighted["loss_bbox_0"] == pytest.approx(3 * plain["loss_bbox_0"].item())
    assert weighted["cardinality_error"] == plain["cardinality_error"]
    assert not weighted["cardinality_error"].requires_grad


def test_the_order_of_queries_and_objects_does_not_matter() -> None:
    logits, boxes, targets = random_case((3, 2))
    criterion = SetCriterion(4, HungarianMatcher())
    expected = criterion(logits, boxes, targets)
    queries, objects = torch.randperm(6), torch.tensor([2, 0, 1])
    permuted = Targets(targets.labels[:, objects], targets.boxes[:, objects], targets.names)
    found = criterion(logits[:, :, queries], boxes[:, :, queries], permuted)
    for key, value in expected.items():
        assert found[key].item() == pytest.approx(value.item(), rel=1e-5), key


def test_what_stands_in_the_padding_of_the_targets_does_not_matter() -> None:
    logits, boxes, targets = random_case((3, 1))
    criterion = SetCriterion(4, HungarianMatcher())
    expected = criterion(logits, boxes, targets)
    targets.boxes[1, 1:] = 7.0
    assert criterion(logits, boxes, targets) == expected


def test_a_step_reads_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU everything that asks for a value waits; only the matcher's copy may."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Reads(TorchDispatchMode):
        names: list[str] = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            name = func.overloadpacket.__name__
            has_bool_index = name.startswith("index") and any(
                isinstance(i, Tensor) and i.dtype == torch.bool
                for arg in args
                if isinstance(arg, list | tuple)
                for i in arg
            )
            reading = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "is_nonzero")
            if name in reading or has_bool_index:
                self.names.append(name)
            return func(*args, **(kwargs or {}))

    logits, boxes, targets = random_case((3, 0, 2))
    logits.requires_grad_()
    criterion = SetCriterion(4, HungarianMatcher())
    copies = []
    import vitdet.set_prediction.matcher as module

    to_host = module._to_host
    monkeypatch.setattr(module, "_to_host", lambda *a: copies.append(1) or to_host(*a))
    with Reads() as reads:
        losses = criterion(logits, boxes, targets)
        sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    assert reads.names == [] and copies == [1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_predictions(dtype: torch.dtype) -> None:
    logits, boxes, targets = random_case((3, 2))
    losses = SetCriterion(4, HungarianMatcher())(logits.to(dtype), boxes.to(dtype), targets)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
