"""Our ResNet is torchvision's."""

import pickle

import pytest
import torch
import torchvision

from vitdet.backbones import ResNet
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError
from vitdet.layers.frozen_norm import FrozenBatchNorm

# Without the classifier; torchvision's table of models less 1000 * (channels + 1).
PARAMETERS = {"resnet18": 11_176_512, "resnet50": 23_508_032, "resnet101": 42_500_160}


@pytest.mark.parametrize(("arch", "count"), PARAMETERS.items())
def test_published_sizes(arch: str, count: int) -> None:
    with torch.device("meta"):
        model = ResNet(arch, has_frozen_norm=False)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize(
    ("arch", "has_dilated_c5", "has_frozen_norm"),
    [("resnet18", False, True), ("resnet50", False, False), ("resnet50", True, True)],
)
@torch.no_grad()
def test_maps_are_torchvisions(arch: str, has_dilated_c5: bool, has_frozen_norm: bool) -> None:
    torch.manual_seed(0)
    options = dict(replace_stride_with_dilation=[False, False, True]) if has_dilated_c5 else {}
    peer = getattr(torchvision.models, arch)(weights=None, **options).eval()
    for module in peer.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.8, 1.2)
            module.weight.uniform_(0.5, 1)
    model = ResNet(arch, has_dilated_c5=has_dilated_c5, has_frozen_norm=has_frozen_norm).eval()
    report = load_checkpoint(model, peer.state_dict())
    assert not report.missing
    assert {key.split(".")[0] for key in report.ignored if "num_batches" not in key} == {"fc"}
    images = x = torch.randn(2, 3, 65, 97)
    for name in ("conv1", "bn1", "relu", "maxpool"):
        x = getattr(peer, name)(x)
    for index, found in enumerate(model(images)):
        x = getattr(peer, f"layer{index + 1}")(x)
        torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-4 * float(x.abs().max()))
        stride, channels = model.strides[index], model.out_channels[index]
        assert found.shape[1:] == (channels, -(-65 // stride), -(-97 // stride))
    tokens = x.flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.forward_tokens(images), tokens, rtol=1e-4, atol=1e-3)


def small(**args) -> ResNet:
    return ResNet("resnet18", base_channels=4, **args)


def test_frozen_parts_stay_frozen() -> None:
    model = small(frozen_stages=1, has_frozen_norm=False).train()
    sum(x.sum() for x in model(torch.randn(2, 3, 64, 64))).backward()
    names = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert names == {"layer2", "layer3", "layer4"}
    assert not model.layer1[0].bn1.training and model.layer2[0].bn1.training


def test_checkpointing_gives_the_same_gradients() -> None:
    models = [small(with_checkpoint=b) for b in (False, True)]
    models[1].load_state_dict(models[0].state_dict())
    images = torch.randn(2, 3, 40, 30)
    for model in models:
        model(images)[-1].square().sum().backward()
    for a, b in zip(*(m.parameters() for m in models), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("size", [(1, 1), (33, 70)])
def test_any_size_and_autocast(size: tuple[int, int]) -> None:
    model = small()
    with torch.autocast("cpu", torch.bfloat16):
        loss = sum(x.float().square().mean() for x in model(torch.randn(1, 3, *size)))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_compiles_and_pickles() -> None:
    model = small()
    compiled = torch.compile(pickle.loads(pickle.dumps(model)), backend="eager", fullgraph=True)
    images = torch.randn(1, 3, 32, 48)
    for ours, theirs in zip(compiled(images), model(images), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_frozen_norm_is_torchvisions() -> None:
    peer, norm = torchvision.ops.FrozenBatchNorm2d(5), FrozenBatchNorm(5)
    for buffer in peer.buffers():
        buffer.uniform_(0.5, 1.5)
    norm.load_state_dict(peer.state_dict())
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(norm(x), peer(x))


def test_a_file_without_statistics_is_refused() -> None:
    state = {k: v for k, v in small().state_dict().items() if not k.endswith("bn2.running_var")}
    with pytest.raises(UserError, match="8 missing"):
        load_checkpoint(small(), state)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (dict(arch="resnet51"), "did you mean resnet50"),
        (dict(out_indices=(4,)), "there are 4, counted from 0"),
    ],
)
def test_bad_arguments(args: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ResNet(**args)
