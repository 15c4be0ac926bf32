"""TNT against the golden numbers of two code bases, and its own invariances."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tests.reference.fixtures import Fixture
from vitdet.backbones import TNT, VisionTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.errors import UserError

FIXTURES = ("tnt_custom_48x80_official", "tnt_s_64x96_official", "tnt_s_224_official", "tnt_s_timm")
LAYOUTS = ("tnt_b_official_layout", "tnt_b_timm_layout")
TINY = dict(
    img_size=32, embed_dims=24, inner_dims=8, depth=4, num_heads=2, inner_num_heads=2, qkv_bias=True
)


def tiny(**options: object) -> TNT:
    """Four small blocks, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model = TNT(**{**TINY, "drop_path_rate": 0.0, **options})
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return model


@pytest.mark.parametrize("name", FIXTURES)
@torch.no_grad()
def test_outputs_agree_with_reference(name: str) -> None:
    fixture = Fixture(name)
    args, state = fixture.args, fixture.state_dict()
    model = TNT(
        img_size=args.get("img_size", 224),
        embed_dims=args.get("outer_dim"),
        inner_dims=args.get("inner_dim"),
        depth=args.get("depth"),
        num_heads=args.get("outer_num_heads"),
        inner_num_heads=args.get("inner_num_heads"),
        qkv_bias=args.get("qkv_bias", False),
        out_indices=range(args.get("depth", 12)),
        out_strides=None,
        final_norm=True,
    ).eval()
    report = load_checkpoint(model, state)
    assert not report.missing and not report.resized
    assert set(report.ignored) <= {"outer_tokens", "head.weight", "head.bias"}
    ((size, images),) = fixture.inputs().items()

    outputs = {}
    for index, block in enumerate(model.blocks, start=1):
        block.register_forward_hook(
            lambda _, __, tokens, index=index: outputs.update(
                {f"inner_tokens_after_block_{index}": tokens[0]}
            )
        )
    tokens = model.forward_tokens(images)
    outputs["tokens_after_final_norm"] = tokens
    outputs["logits"] = F.linear(tokens[:, 0], state["head.weight"], state["head.bias"])
    if name == "tnt_s_timm":
        for index, feature_map in enumerate(model(images), start=1):
            outputs[f"intermediate_{index}"] = feature_map
    for output in fixture.outputs():
        fixture.assert_close(output, outputs[output.removeprefix(f"{size}.")])


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_published_entry_finds_its_place(name: str) -> None:
    """On the meta device: only keys and shapes count."""
    entries = Fixture(name).meta["state_dict"]
    state = {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}
    with torch.device("meta"):
        model = TNT("base")
    report = load_checkpoint(model, state)
    assert {key.split(".")[0] for key in report.missing} == {"rescalings"}
    assert not report.resized
    assert {key.split(".")[0] for key in report.ignored} <= {"outer_tokens", "norm", "head"}


def test_no_other_family_claims_its_files() -> None:
    states = [
        {key: torch.ones(1, 1, 1) for key, *_ in Fixture(name).meta["state_dict"]}
        for name in (*FIXTURES, *LAYOUTS)
    ]
    for state in (*states, tiny().state_dict()):
        for model, family in FAMILIES.items():
            count = sum(layout.recognises(state) for layout in family.layouts)
            assert count == (model is TNT), model
    vit = VisionTransformer("tiny", depth=1).state_dict()
    assert not any(layout.recognises(vit) for layout in FAMILIES[TNT].layouts)


@pytest.mark.parametrize(("arch", "params", "macs"), [("small", 23.8, 5.2), ("base", 65.6, 14.1)])
def test_size_agrees_with_the_published_table(arch: str, params: float, macs: float) -> None:
    """Of the paper (table 1), millions and giga multiply-adds at 224 x 224, with the head."""
    with torch.device("meta"):
        model = TNT(arch, out_strides=None, final_norm=True).eval()
        images = torch.empty(1, 3, 224, 224)
        head = nn.Linear(model.num_features, 1000)
    count = sum(p.numel() for part in (model, head) for p in part.parameters())
    assert abs(count / 1e6 - params) < max(0.05, 0.01 * params)
    with FlopCounterMode(display=False) as counter:
        model.forward_tokens(images)
    assert abs(counter.get_total_flops() / 2e9 - macs) < max(0.05, 0.01 * macs)


@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
def test_any_size_gives_maps_of_rounded_up_size(size: tuple[int, int]) -> None:
    for model in (tiny(), tiny(out_strides=None)):
        maps = model(torch.randn(2, 3, *size))
        assert len(maps) == len(model.out_channels)
        for feature_map, stride in zip(maps, model.strides, strict=True):
            expected = (2, 24, -(-size[0] // stride), -(-size[1] // stride))
            assert feature_map.shape == expected and feature_map.isfinite().all()


def test_patches_are_embedded_by_themselves() -> None:
    """What changes in one patch changes no small token of another."""
    embed = tiny().pixel_embed
    images = torch.randn(2, 3, 32, 48)
    changed = images.clone()
    changed[1, :, :16, 16:32] += 1
    difference = (embed(images)[0] - embed(changed)[0]).abs().amax((1, 2))
    assert difference.nonzero().flatten().tolist() == [6 + 1]


def test_a_batch_gives_what_its_images_give() -> None:
    model = tiny().eval()
    images = torch.randn(3, 3, 45, 61)
    batched = model(images)
    for index in range(3):
        for feature_map, alone in zip(batched, model(images[index : index + 1]), strict=True):
            torch.testing.assert_close(feature_map[index], alone[0], rtol=0, atol=5e-5)


def test_positions_of_another_image_size_are_resized() -> None:
    source, model = tiny(img_size=64), tiny()
    report = load_checkpoint(model, source.state_dict())
    assert report.resized == ["pos_embed"]
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(model(images)[2], source(images)[2], rtol=0, atol=1e-4)


def test_frozen_stages_stay_frozen() -> None:
    model = tiny(frozen_stages=2, drop_path_rate=0.5).train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"blocks", "rescalings"}
    assert not any(name.startswith(("blocks.0.", "blocks.1.")) for name in trained)
    assert not model.blocks[1].training and model.blocks[2].training


def test_checkpointing_gives_equal_gradients() -> None:
    plain, checkpointed = tiny(), tiny(with_checkpoint=True)
    images = torch.randn(2, 3, 24, 40)
    for model in (plain, checkpointed):
        sum(feature_map.square().mean() for feature_map in model(images)).backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def test_every_parameter_gets_a_finite_gradient_under_autocast() -> None:
    model = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        maps = model(torch.randn(2, 3, 33, 40))
    sum(feature_map.float().cos().mean() for feature_map in maps).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_copies_compute_the_same_and_only_weights_are_saved() -> None:
    model = tiny(out_strides=None).eval()
    images = torch.randn(1, 3, 20, 20)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(images)[0], model(images)[0])
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_init_weights_follows_the_paper() -> None:
    model = TNT(**TINY)
    model.init_weights()
    assert 0.015 < model.blocks[0].outer.mlp.fc1.weight.std() < 0.025
    assert 0.01 < model.pos_embed.std() < 0.03


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "smal"}, "did you mean small"),
        ({"out_indices": (2, 12)}, r"out_indices \(2, 12\)"),
        ({"out_indices": (2, 11)}, "2 out_indices but 4 out_strides"),
        ({"out_strides": (4, 8, 16, 24)}, "stride 24"),
        ({"img_size": 8}, "img_size 8 is less than a patch of 16"),
        ({"inner_num_heads": 5}, "24 channels do not divide among 5 heads"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TNT(**options)


def test_checkpoints_of_another_size_or_family_are_refused() -> None:
    model = tiny()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for other in (tiny(embed_dims=32), tiny(inner_dims=4), tiny(depth=6)):
        with pytest.raises(UserError, match="does not fit"):
            load_checkpoint(model, other.state_dict())
    with pytest.raises(UserError, match="the model is a"):
        load_checkpoint(model, VisionTransformer("tiny", depth=1).state_dict())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_one_graph_for_torch_compile() -> None:
    torch._dynamo.reset()
    model = tiny().eval()
    compiled = torch.compile(model, fullgraph=True, backend="eager", dynamic=False)
    for size in ((33, 40), (48, 64)):
        images = torch.randn(2, 3, *size)
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
