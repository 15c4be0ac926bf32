"""Blocks are compiled alone, compute the same, and settle on images of any size."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from tests.engine.toy_training import good_numbers, toy_config, write_numbers
from vitdet.backbones import SwinTransformer
from vitdet.engine.compile_blocks import compile_blocks
from vitdet.engine.runner import Runner
from vitdet.errors import UserError

SIZES = [
    (96, 64), (80, 112), (120, 72), (64, 100), (88, 136), (104, 60), (132, 96), (76, 124),
    (140, 68), (100, 100), (60, 144), (128, 92), (72, 116), (112, 84), (84, 132), (136, 108),
]  # fmt: skip


class CountingBackend:
    """Runs what it is given as it is."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: fx.GraphModule, inputs: list[Tensor]) -> Callable:
        self.graphs += 1
        return graph.forward


@pytest.fixture(autouse=True)
def _fresh_compiler():
    limits = {
        name: getattr(torch._dynamo.config, name)
        for name in ("recompile_limit", "accumulated_recompile_limit")
    }
    torch._dynamo.reset()
    with torch._dynamo.config.patch(limits):
        yield
    torch._dynamo.reset()


def tiny_swin() -> SwinTransformer:
    torch.manual_seed(0)
    return SwinTransformer(
        embed_dims=8,
        depths=(2,),
        num_heads=(1,),
        window_size=4,
        out_indices=(0,),
        drop_path_rate=0.0,
    )


def test_sizes_of_images_settle_and_outputs_agree() -> None:
    plain, compiled, backend = tiny_swin(), tiny_swin(), CountingBackend()
    assert compile_blocks(compiled, {"backend": backend}) == 2
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    counts = []
    for size in SIZES:
        image = torch.rand(1, 3, *size)
        torch.testing.assert_close(compiled(image)[0], plain(image)[0])
        counts.append(backend.graphs)
    # With and without a shift, of one size and of any, whether windows divide it or not.
    assert counts == [2] + 15 * [4]


def test_blocks_alike_share_a_graph() -> None:
    """Six blocks of one stage: with and without a shift, the first without dropped paths."""
    backend = CountingBackend()
    model = SwinTransformer(
        embed_dims=8, depths=(6,), num_heads=(1,), window_size=4, out_indices=(0,)
    ).train()
    compile_blocks(model, {"backend": backend})
    model(torch.rand(1, 3, 64, 96))
    assert backend.graphs == 3


def test_gradients_agree() -> None:
    plain, compiled = tiny_swin(), tiny_swin()
    compile_blocks(compiled, {"backend": "aot_eager"})
    image = torch.rand(1, 3, 64, 96)
    for model in (plain, compiled):
        model(image)[0].square().mean().backward()
    for ours, theirs in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_model_without_blocks_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match=r"--compile: Sequential has no repeated blocks"):
        compile_blocks(nn.Sequential(nn.Linear(2, 2)))
    data = write_numbers(tmp_path / "data", good_numbers(2))
    runner = Runner.from_cfg(toy_config(data, tmp_path / "run", compile=True))
    with pytest.raises(UserError, match="--compile: ToyModel"):
        runner.train()
