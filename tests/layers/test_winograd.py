import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import KaimingInit
from torch import Tensor, nn

from vitdet.engine.runner import Runner
from vitdet.layers.winograd import WinogradConv2d, use_winograd, winograd_conv2d

SIZES = [(1, 40, 60), (3, 14, 14), (2, 9, 300), (120, 7, 5), (1, 2, 3)]


def problem(size: tuple[int, int, int], *, channels_last: bool = False) -> tuple[Tensor, ...]:
    """x, weight and bias with 24 to 40 channels, and a gradient of the output."""
    generator = torch.Generator().manual_seed(0)
    batch, *sides = size
    shapes = ((batch, 24, *sides), (40, 24, 3, 3), (40,), (batch, 40, *sides))
    x, weight, bias, by_output = (torch.randn(shape, generator=generator) for shape in shapes)
    memory = torch.channels_last if channels_last else torch.contiguous_format
    return x.contiguous(memory_format=memory), weight, bias, by_output


def exactly(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The convolution in float64, and its gradients by x, weight and bias."""
    x, weight, bias, by_output = (each.double().requires_grad_() for each in tensors)
    output = F.conv2d(x, weight, bias, padding=1)
    return output, *torch.autograd.grad(output, (x, weight, bias), by_output)


def rms(values: Tensor) -> float:
    return values.double().square().mean().sqrt().item()


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_output_and_gradients(size: tuple[int, int, int], channels_last: bool) -> None:
    x, weight, bias, by_output = problem(size, channels_last=channels_last)
    leaves = [each.requires_grad_() for each in (x, weight, bias)]
    output = winograd_conv2d(*leaves)
    found = output, *torch.autograd.grad(output, leaves, by_output)
    for ours, exact in zip(found, exactly(x, weight, bias, by_output), strict=True):
        assert ours.shape == exact.shape
        assert rms(ours - exact) < 2e-6 * rms(exact)
    assert output.stride() == F.conv2d(x, weight, bias, padding=1).stride()


def test_rounds_nearly_as_little_as_the_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 256, 32, 32, generator=generator).relu()
    weight = torch.randn(64, 256, 3, 3, generator=generator)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    by_definition = rms(F.conv2d(x, weight, padding=1) - exact)
    assert rms(winograd_conv2d(x, weight) - exact) < 1.6 * by_definition


def test_works_without_bias_and_on_any_memory_layout() -> None:
    x, weight, *_ = problem((2, 20, 21))
    cut = x.transpose(2, 3)[:, :, 1:, ::2]
    expected = F.conv2d(cut, weight, padding=1)
    torch.testing.assert_close(winograd_conv2d(cut, weight), expected, atol=1e-4, rtol=1e-5)


def test_gradients_of_what_is_not_trained_are_left_out() -> None:
    x, weight, bias, by_output = problem((1, 8, 8))
    output = winograd_conv2d(x, weight.requires_grad_(), bias)
    output.backward(by_output)
    assert weight.grad is not None
    assert x.grad is bias.grad is None


def conv(**options: object) -> nn.Conv2d:
    return nn.Conv2d(**{**dict(in_channels=128, out_channels=128, kernel_size=3), **options})


@pytest.mark.parametrize(
    "other",
    [
        dict(stride=2),
        dict(dilation=2, padding=2),
        dict(padding=0),
        dict(groups=2),
        dict(kernel_size=1, padding=0),
        dict(kernel_size=(3, 1)),
        dict(padding_mode="reflect"),
        dict(in_channels=64),
        dict(out_channels=64),
    ],
    ids=str,
)
def test_other_convolutions_stay_as_they_are(other: dict) -> None:
    assert type(use_winograd(conv(**{**dict(padding=1), **other}))) is nn.Conv2d


class Own(nn.Conv2d):
    """Somebody's convolution with a forward of its own."""


def test_weights_names_and_classes_of_others_stay() -> None:
    model = nn.Sequential(
        conv(padding=1), nn.Sequential(conv(padding="same")), Own(128, 128, 3, padding=1)
    )
    before = copy.deepcopy(model.state_dict())
    use_winograd(model)
    assert [type(each) for each in (model[0], model[1][0], model[2])] == [WinogradConv2d] * 2 + [
        Own
    ]
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    KaimingInit(layer="Conv2d", bias=7.0)(model)  # finds layers by the names of their classes
    assert (model[0].bias == 7).all()


def test_runner_trains_with_it() -> None:
    model = Runner.build_model(object.__new__(Runner), nn.Sequential(conv(padding=1)))
    assert type(model[0]) is WinogradConv2d


@pytest.fixture
def swapped() -> nn.Conv2d:
    torch.manual_seed(0)
    return use_winograd(conv(padding=1))


def test_module_takes_it_where_it_pays(swapped: nn.Conv2d, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def watched(*tensors: Tensor) -> Tensor:
        taken.append(tensors[0].shape)
        return winograd_conv2d(*tensors)

    monkeypatch.setattr("vitdet.layers.winograd.winograd_conv2d", watched)
    small, large = torch.randn(1, 128, 20, 20), torch.randn(1, 128, 32, 32)
    for x in (small, large, large[0], large.bfloat16(), large.to("meta")):
        module = copy.deepcopy(swapped).to(x.device, x.dtype)
        expected = F.conv2d(x, module.weight, module.bias, padding=1)
        torch.testing.assert_close(module(x), expected, atol=1e-4, rtol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        swapped(large)
    assert taken == [large.shape]


@pytest.mark.parametrize("is_strict", [False, True])
def test_exported_as_a_convolution(swapped: nn.Conv2d, is_strict: bool) -> None:
    x = torch.randn(1, 128, 32, 32)
    program = torch.export.export(swapped, (x,), strict=is_strict)
    called = {node.target for node in program.graph.nodes if node.op == "call_function"}
    assert called == {torch.ops.aten.conv2d.default}
    torch.testing.assert_close(program.module()(x), swapped(x), atol=1e-4, rtol=1e-5)


def test_traced_and_compiled_as_a_convolution(swapped: nn.Conv2d) -> None:
    x = torch.randn(1, 128, 32, 32)
    assert "aten::_convolution" in str(torch.jit.trace(swapped, x).inlined_graph)
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append({node.target for node in graph.graph.nodes if node.op == "call_function"})
        return graph

    torch.compile(swapped, backend=backend)(x)
    assert graphs == [{torch.conv2d}]
