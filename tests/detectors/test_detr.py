"""DETR gives the reference's outputs for published weights, and detects under all conditions."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor

from tests.reference.fixtures import Fixture
from vitdet.backbones import ResNet, SwinTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.detr_official import LAYOUT
from vitdet.detectors import DETR
from vitdet.detectors.detr import padding_bias, padding_of
from vitdet.errors import UserError

OFFICIAL = ["detr_r18_small_official", "detr_r50_official", "detr_r50_panoptic_official"]
LAYOUTS = ["detr_r101_official_layout", "detr_r101_dc5_official_layout", "detr_r101_hf_layout"]
TRANSFORMERS_NAMES = {
    "hidden_dim": "d_model",
    "nheads": "encoder_attention_heads",
    "dim_feedforward": "encoder_ffn_dim",
    "enc_layers": "encoder_layers",
    "dec_layers": "decoder_layers",
    "num_classes": "num_labels",
}


def build_detr(args: dict[str, Any]) -> DETR:
    """DETR with a fixture's sizes."""

    def value(name: str) -> Any:
        return args[name] if name in args else args[TRANSFORMERS_NAMES[name]]

    has_masks = args.get("masks", False)
    backbone = ResNet(
        args["backbone"] if "backbone" in args else args["backbone_config"]["backbone"],
        has_dilated_c5=args["dilation"],
        out_indices=(0, 1, 2, 3) if has_masks else (3,),
    )
    return DETR(
        backbone,
        value("num_classes"),
        num_queries=args["num_queries"],
        embed_dims=value("hidden_dim"),
        num_heads=value("nheads"),
        num_encoder_layers=value("enc_layers"),
        num_decoder_layers=value("dec_layers"),
        feedforward_channels=value("dim_feedforward"),
        dropout=args["dropout"],
        pre_norm=args.get("pre_norm", False),
        with_masks=has_masks,
    )


def batch_of(images: list[Tensor], scale: tuple[int, int] = (1, 1)) -> tuple[Tensor, list]:
    """Padded images, and their samples; `scale` is the original image's size over the image's."""
    height, width = (max(image.shape[dim] for image in images) for dim in (1, 2))
    batch = torch.zeros(len(images), 3, height, width)
    samples = []
    for index, image in enumerate(images):
        size = tuple(image.shape[1:])
        batch[index, :, : size[0], : size[1]] = image
        original = size[0] * scale[0], size[1] * scale[1]
        samples.append(DetDataSample(metainfo=dict(img_shape=size, ori_shape=original)))
    return batch, samples


def load_fixture(name: str) -> tuple[Fixture, DETR]:
    fixture = Fixture(name)
    model = build_detr(fixture.args).eval()
    report = load_checkpoint(model, {"model": fixture.state_dict()})
    assert not report.missing and not report.ignored
    assert report.layouts == {"": fixture.meta["layout"]}
    return fixture, model


@pytest.mark.parametrize("name", OFFICIAL)
@torch.no_grad()
def test_official_models(name: str) -> None:
    fixture, model = load_fixture(name)
    batch, samples = batch_of(fixture.images(), scale=(3, 2))
    decoded = model.decode(batch, samples)
    fixture.assert_close("projected_features", decoded.projected)
    fixture.assert_close("encoder_memory", decoded.memory)
    positions = model.positions(decoded.is_padding).permute(0, 3, 1, 2)
    fixture.assert_close("position_encoding", positions)
    assert np.array_equal(decoded.is_padding.numpy(), fixture.values["feature_mask"].astype(bool))
    names = ["", *(f"aux{layer}." for layer in range(len(decoded.logits) - 1))]
    for layer, name in enumerate(names, start=-1):
        if f"{name}pred_logits" in fixture.outputs():  # of the large models not all were kept
            fixture.assert_close(f"{name}pred_logits", decoded.logits[layer])
            fixture.assert_close(f"{name}pred_boxes", decoded.boxes[layer])
    if "pred_masks" in fixture.outputs():
        batch_size, num_queries = decoded.logits.shape[1:3]
        images = torch.arange(batch_size).repeat_interleave(num_queries)
        queries = torch.arange(num_queries).repeat(batch_size)
        masks = model.masks(decoded, images, queries)
        fixture.assert_close("pred_masks", masks.view(batch_size, num_queries, *masks.shape[1:]))
    for index, sample in enumerate(model.predict(batch, samples)):
        found = sample.pred_instances
        order = np.argsort(-fixture.values[f"post{index}.scores"], kind="stable")
        for key, value in (("scores", found.scores), ("boxes", found.bboxes)):
            expected = fixture.values[f"post{index}.{key}"][order]
            tolerance = fixture.tolerance(f"post{index}.{key}")
            np.testing.assert_allclose(value.numpy(), expected, rtol=0, atol=tolerance)
        assert np.array_equal(found.labels.numpy(), fixture.values[f"post{index}.labels"][order])


@torch.no_grad()
def test_transformers_model() -> None:
    fixture, model = load_fixture("detr_r50_hf")
    decoded = model.decode(*batch_of(fixture.images()))
    fixture.assert_close("logits", decoded.logits[-1])
    fixture.assert_close("pred_boxes", decoded.boxes[-1])
    fixture.assert_close("encoder_last_hidden_state", decoded.memory.flatten(2).transpose(1, 2))
    fixture.assert_close("decoder_last_hidden_state", decoded.queries[-1])


@pytest.mark.parametrize(
    "name", ["detr_transformer_only_official", "detr_transformer_only_small_official"]
)
@torch.no_grad()
def test_transformer_alone(name: str) -> None:
    fixture = Fixture(name)
    with torch.device("meta"):
        model = build_detr(fixture.args)
    model = model.to_empty(device="cpu").eval()
    keys = model.load_state_dict(LAYOUT.convert(fixture.state_dict()).state, strict=False)
    assert not keys.unexpected_keys
    assert all(key.startswith("backbone.") for key in keys.missing_keys)
    (shape,) = fixture.meta["input"]["shapes"]
    features = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    features = torch.from_numpy(features)
    samples = [
        DetDataSample(metainfo=dict(img_shape=size)) for size in fixture.meta["input"]["valid_hw"]
    ]
    is_padding = padding_of(samples, shape, features)
    positions = model.positions(is_padding)
    fixture.assert_close("position_encoding", positions.permute(0, 3, 1, 2))
    positions, bias = positions.flatten(1, 2), padding_bias(is_padding, features.dtype)
    tokens = features.flatten(2).transpose(1, 2)
    memory = model.transformer.encode(tokens, positions, bias=bias)
    fixture.assert_close("memory", memory.transpose(1, 2).unflatten(2, shape[2:]))
    queries = model.transformer.decode(memory, positions, model.query_embed.weight, bias=bias)
    fixture.assert_close("decoder_hidden_states", queries)
    fixture.assert_close("logits", model.class_embed(queries))
    fixture.assert_close("boxes", model.bbox_embed(queries).sigmoid())


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_published_entry_finds_its_place(name: str) -> None:
    fixture = Fixture(name)
    entries = fixture.meta["state_dict"]
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape, *_ in entries}
        model = build_detr(fixture.args)
    report = load_checkpoint(model, state)
    assert set(report.loaded) == set(model.state_dict())
    assert not report.ignored and not report.missing


def tiny(**args: Any) -> DETR:
    torch.manual_seed(0)
    args.setdefault("backbone", ResNet("resnet18", base_channels=8, out_indices=(3,)))
    sizes = dict(num_queries=7, embed_dims=32, num_heads=4, num_encoder_layers=2)
    sizes |= dict(num_decoder_layers=2, feedforward_channels=48, num_classes=3)
    return DETR(**{**sizes, **args})


def with_objects(samples: list, counts: tuple[int, ...], *, masks: bool = False) -> list:
    """The samples with ground truth of random boxes."""
    for sample, count in zip(samples, counts, strict=True):
        height, width = sample.img_shape
        corners = torch.rand(count, 2, 2).sort(dim=1).values.flatten(1)
        objects = InstanceData(
            bboxes=corners * torch.tensor([width, height, width, height]),
            labels=torch.randint(3, (count,)),
        )
        if masks:
            pixels = np.random.default_rng(0).random((count, height, width)) > 0.5
            objects.masks = BitmapMasks(pixels.astype(np.uint8), height, width)
        sample.gt_instances = objects
    return samples


def loss_of(model: DETR, batch: Tensor, samples: list) -> Tensor:
    losses = model.loss(batch, samples)
    return sum(value for name, value in losses.items() if name.startswith("loss"))


SMALL_SWIN = dict(embed_dims=8, depths=(1, 1), num_heads=(1, 2), window_size=3, out_indices=(1,))
VARIANTS = {
    "post-norm": {},
    "pre-norm": dict(pre_norm=True),
    "learned positions": dict(positions="learned"),
    "no encoder": dict(num_encoder_layers=0),
    "swin": dict(backbone=dict(type=SwinTransformer, **SMALL_SWIN)),
    "masks": dict(
        backbone=dict(type=ResNet, arch="resnet18", base_channels=8),
        with_masks=True,
        embed_dims=128,
        num_heads=8,
    ),
    "masks of more heads": dict(
        backbone=dict(type=ResNet, arch="resnet18", base_channels=8),
        with_masks=True,
        embed_dims=128,
        num_heads=4,
        num_mask_heads=8,
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant: str) -> None:
    model = tiny(**copy.deepcopy(VARIANTS[variant])).train()
    batch, samples = batch_of([torch.randn(3, 64, 50), torch.randn(3, 40, 70)])
    has_masks = variant.startswith("masks")
    loss_of(model, batch, with_objects(samples, (2, 1), masks=has_masks)).backward()
    unused = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not unused


def test_a_frozen_detector_only_learns_masks() -> None:
    model = tiny(**copy.deepcopy(VARIANTS["masks"]), has_frozen_detector=True).train()
    batch, samples = batch_of([torch.randn(3, 64, 50)])
    loss_of(model, batch, with_objects(samples, (2,), masks=True)).backward()
    learning = {name for name, p in model.named_parameters() if p.grad is not None}
    assert learning == {f"mask_head.{name}" for name, _ in model.mask_head.named_parameters()}
    assert model.training and model.mask_head.training and not model.backbone.training
    assert not model.transformer.training and not model.eval().mask_head.training


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    """The transformer makes of a padded map what it makes of the map alone."""
    model = tiny(dropout=0.0).eval()
    features = torch.randn(1, 32, 3, 4)
    samples = [DetDataSample(metainfo=dict(img_shape=(96, 128)))]

    def run(features: Tensor, batch_shape: tuple[int, ...]) -> Tensor:
        is_padding = padding_of(samples, batch_shape, features)
        positions = model.positions(is_padding).flatten(1, 2)
        bias = padding_bias(is_padding, features.dtype)
        memory = model.transformer.encode(features.flatten(2).transpose(1, 2), positions, bias=bias)
        return model.transformer.decode(memory, positions, model.query_embed.weight, bias=bias)

    padded = torch.nn.functional.pad(features, (0, 3, 0, 2), value=9.0)
    alone, together = run(features, (1, 3, 96, 128)), run(padded, (1, 3, 160, 224))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (33, 200)])
@torch.no_grad()
def test_any_size(size: tuple[int, int]) -> None:
    for variant in ("post-norm", "learned positions"):
        model = tiny(**VARIANTS[variant]).eval()
        batch, samples = batch_of([torch.randn(3, *size)])
        (sample,) = model(batch, samples, mode="predict")
        assert sample.pred_instances.bboxes.isfinite().all()


def test_learned_positions_of_a_large_map_are_stretched() -> None:
    model = tiny(positions="learned")
    assert model.positions(torch.zeros(1, 60, 70, dtype=torch.bool)).shape == (1, 60, 70, 32)


@pytest.mark.parametrize("variant", ["post-norm", "masks"])
def test_a_batch_without_any_object(variant: str) -> None:
    model = tiny(**copy.deepcopy(VARIANTS[variant]))
    batch, samples = batch_of([torch.randn(3, 64, 64)] * 2)
    with_objects(samples, (0, 0), masks=variant == "masks")
    losses = model(batch, samples, mode="loss")
    assert losses["loss_bbox"] == 0 and losses["loss_ce"] > 0
    loss_of(model, batch, samples).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("box", [(70.0, 10, 90, 30), (5, 5, 5, 20), (-9, -9, -1, -1)])
def test_boxes_of_which_nothing_is_in_the_image_are_left_out(box: tuple[float, ...]) -> None:
    model = tiny(dropout=0.0)
    batch, samples = batch_of([torch.randn(3, 64, 64)])
    with_objects(samples, (2,))
    expected = model.loss(batch, samples)
    objects = samples[0].gt_instances
    samples[0].gt_instances = InstanceData(
        bboxes=torch.cat([objects.bboxes, torch.tensor([box], dtype=torch.float)]),
        labels=torch.cat([objects.labels, torch.tensor([1])]),
    )
    found = model.loss(batch, samples)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize(
    ("box", "label", "words"),
    [
        ((30.0, 10, 20, 30), 0, "NaN or inverted"),
        ((float("nan"), 10, 20, 30), 0, "NaN or inverted"),
        ((10.0, 10, 20, 30), 3, "label 3, but the model has 3 classes"),
    ],
)
def test_bad_targets_name_the_image(box: tuple, label: int, words: str) -> None:
    batch, samples = batch_of([torch.randn(3, 64, 64)] * 2)
    with_objects(samples, (2, 2))
    samples[1].set_metainfo(dict(img_path="photos/b.jpg"))
    samples[1].gt_instances.bboxes[1] = torch.tensor(box)
    samples[1].gt_instances.labels[1] = label
    with pytest.raises(UserError, match=rf"photos/b\.jpg: .*{words}"):
        tiny().loss(batch, samples)


def test_masks_that_were_not_loaded() -> None:
    batch, samples = batch_of([torch.randn(3, 64, 64)])
    with pytest.raises(UserError, match="set with_mask=True in the pipeline's LoadAnnotations"):
        tiny(**copy.deepcopy(VARIANTS["masks"])).loss(batch, with_objects(samples, (2,)))


@torch.no_grad()
def test_attention_on_request() -> None:
    model = tiny(dropout=0.0).eval()
    batch, samples = batch_of([torch.randn(3, 64, 96), torch.randn(3, 96, 64)])
    plain, asked = (model.decode(batch, samples, return_attention=b) for b in (False, True))
    assert plain.attention is None
    torch.testing.assert_close(asked.logits, plain.logits)
    assert {k: len(v) for k, v in asked.attention.items()} == dict(encoder=2, queries=2, memory=2)
    for weights in asked.attention["memory"]:
        assert weights.shape == (2, 4, 7, 9)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 7))
        assert not weights[plain.is_padding.flatten(1)[:, None, None].expand_as(weights)].any()


def test_bfloat16() -> None:
    model = tiny()
    batch, samples = batch_of([torch.randn(3, 64, 50), torch.randn(3, 40, 70)])
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(model, batch, with_objects(samples, (2, 1)))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_compiles_without_breaks() -> None:
    model = tiny().eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_copies_and_pickles() -> None:
    model = tiny().eval()
    images = torch.randn(1, 3, 64, 64)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(images)[0], model(images)[0])


def test_masks_and_panoptic_map_are_in_the_original_image() -> None:
    model = tiny(**copy.deepcopy(VARIANTS["masks"]), num_thing_classes=2).eval()
    batch, samples = batch_of([torch.randn(3, 64, 50), torch.randn(3, 40, 70)], scale=(2, 3))
    with torch.no_grad():
        for sample in model.predict(batch, samples):
            assert sample.pred_instances.masks.shape == (7, *sample.ori_shape)
            assert sample.pred_panoptic_seg.sem_seg.shape == (1, *sample.ori_shape)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (dict(positions="sinus"), "none of sine, learned"),
        (dict(num_thing_classes=2), "with_masks=True"),
        (dict(has_frozen_detector=True), "with_masks=True"),
        (dict(embed_dims=30), "in fours"),
        (dict(num_heads=5), "do not divide"),
        (dict(with_masks=True), "need 4 maps"),
        (dict(with_masks=True, backbone=dict(type=ResNet)), "embed_dims"),
        (dict(backbone=torch.nn.Conv2d(3, 8, 1)), "no backbone of vitdet"),
    ],
)
def test_bad_arguments(args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        tiny(**args)
