"""What holds for both versions of PVT."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from tests.backbones import test_pvt, test_pvt_v2
from vitdet.backbones import PyramidVisionTransformer, PyramidVisionTransformerV2
from vitdet.backbones.backbone import Backbone

MODELS = {
    "v1": (PyramidVisionTransformer, test_pvt.TINY),
    "v1_classifier": (PyramidVisionTransformer, test_pvt.TINY | {"final_norm": True}),
    "v2": (PyramidVisionTransformerV2, test_pvt_v2.TINY),
    "v2_linear": (PyramidVisionTransformerV2, test_pvt_v2.TINY | {"linear_attention": True}),
}
pytestmark = pytest.mark.parametrize("kind", MODELS)


def tiny(kind: str, **options: object) -> Backbone:
    """Two small stages, with weights large enough for every part to matter."""
    torch.manual_seed(0)
    model_class, defaults = MODELS[kind]
    model = model_class(**{**defaults, **options})
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.5 if "embed" in name else parameter[0].numel() ** -0.5)
    return model


def test_a_batch_gives_what_its_images_give(kind: str) -> None:
    model = tiny(kind).eval()
    images = torch.randn(3, 3, 45, 61)
    batched = model(images)
    for index in range(3):
        for feature_map, alone in zip(batched, model(images[index : index + 1]), strict=True):
            torch.testing.assert_close(feature_map[index], alone[0], rtol=0, atol=2e-5)


def test_frozen_stages_stay_frozen(kind: str) -> None:
    model = tiny(kind, frozen_stages=1, drop_path_rate=0.5)
    model.train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith(("stages.1.", "norm.")) for name in trained)
    assert not model.stages[0].training and model.stages[1].training
    sum(m.sum() for m in model(torch.randn(1, 3, 16, 16))).backward()
    with_grad = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_grad == {name for name in trained if not name.startswith("norm.")}


def test_frozen_embedding(kind: str) -> None:
    model = tiny(kind, frozen_stages=0)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen and all(n.startswith(("stages.0.patch_", "stages.0.pos_")) for n in frozen)


def test_checkpointing_gives_equal_gradients(kind: str) -> None:
    plain, checkpointed = tiny(kind), tiny(kind, with_checkpoint=True)
    images = torch.randn(2, 3, 24, 40)
    for model in (plain, checkpointed):
        model.forward_tokens(images).cos().mean().backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def test_every_parameter_gets_a_finite_gradient_under_autocast(kind: str) -> None:
    """With tokens for the loss where there is a final norm, which maps do not pass."""
    model = tiny(kind)
    images = torch.randn(2, 3, 33, 40)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(images) if "classifier" not in kind else [model.forward_tokens(images)]
    sum(output.float().cos().mean() for output in outputs).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_bfloat16_stays_near_float32(kind: str) -> None:
    model = tiny(kind).eval()
    images = torch.randn(1, 3, 40, 40)
    exact = model(images)
    for grad in (False, True):
        with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16):
            rounded = model(images)
        for ours, theirs in zip(rounded, exact, strict=True):
            assert (ours - theirs).abs().mean() < 0.02 * theirs.abs().mean() + 0.01


def test_copies_and_pickles_compute_the_same(kind: str) -> None:
    model = tiny(kind).eval()
    images = torch.randn(1, 3, 20, 20)
    expected = model(images)
    buffer = io.BytesIO(pickle.dumps(model))
    for twin in (copy.deepcopy(model), pickle.load(buffer)):
        for ours, theirs in zip(twin(images), expected, strict=True):
            assert torch.equal(ours, theirs)


def test_only_weights_are_saved(kind: str) -> None:
    model = tiny(kind)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


def test_drop_path_rises_to_its_rate(kind: str) -> None:
    model = tiny(kind, drop_path_rate=0.4)
    rates = [block.drop_path.rate for stage in model.stages for block in stage.blocks]
    assert rates == [0.0, 0.2, 0.4]


def test_text_configs_find_it(kind: str) -> None:
    from mmengine.registry import MODELS as ROOT
    from mmengine.registry import DefaultScope

    model_class, options = MODELS[kind]
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = ROOT.build(dict(type=f"vitdet.{model_class.__name__}", **options))
    assert isinstance(model, model_class)


@pytest.mark.parametrize("grad", [False, True])
def test_one_graph_for_torch_compile(kind: str, grad: bool) -> None:
    torch.compiler.reset()
    model = tiny(kind, depths=(1, 1)).eval()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    images = torch.randn(2, 3, 33, 40)
    with torch.set_grad_enabled(grad):
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_one_more_graph_for_all_sizes_that_heads_pad_to(kind: str) -> None:
    torch.compiler.reset()
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    model = tiny(kind, depths=(1, 1)).eval()
    compiled = torch.compile(model, fullgraph=True, backend=keep)
    for size in ((64, 96), (96, 160), (160, 64), (128, 128)):
        images = torch.randn(2, 3, *size)
        for ours, theirs in zip(compiled(images), model(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert len(graphs) == 2


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gpu_agrees_with_cpu(kind: str, dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = tiny(kind).eval()
    images = torch.randn(2, 3, 45, 61)
    expected = model(images)
    for run in (model, torch.compile(model, fullgraph=True)):
        model.cuda()
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
            maps = run(images.cuda())
        tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-3
        for ours, theirs in zip(maps, expected, strict=True):
            assert (ours.cpu() - theirs).abs().mean() < tolerance * theirs.abs().mean()
