"""Attention of windows and of whole images, alone and with its gradients (B4).

`explicit` is how mmdet's, timm's and the authors' windows attend, `fused` is timm's other way.
Sizes are those of an image of 800x1333: Swin-T's first and third stage, ViTDet's windows of 14x14,
and YOLOS-Ti as a whole, also at 512x864.
"""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from harness import Benchmark, Case, Step
from torch import Tensor

from vitdet.compat.cpu_amp import has_bfloat16
from vitdet.layers.attention import attention

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None, Tensor | None], Tensor]
# batch (of windows), heads, tokens, channels of a head; bias, mask
SHAPES = {
    "49 tokens, stage 1, bias": ((1392, 3, 49, 32), True, False),
    "49 tokens, stage 1, bias and mask": ((1392, 3, 49, 32), True, True),
    "49 tokens, stage 3, bias": ((96, 12, 49, 32), True, False),
    "49 tokens, stage 3, bias and mask": ((96, 12, 49, 32), True, True),
    "196 tokens, bias": ((24, 6, 196, 64), True, False),
    "1829 tokens": ((1, 3, 1829, 64), False, False),
    "4301 tokens": ((1, 3, 4301, 64), False, False),
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def explicit(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    if bias is not None:
        logits = logits + bias
    if mask is not None:
        logits = logits + mask[:, None]
    return logits.softmax(-1) @ value


def fused(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    if mask is not None:
        bias = bias + mask[:, None]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def ours(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    """As `WindowAttention` calls it: with a mask, windows are heads of one sequence."""
    if mask is None:
        return attention(query, key, value, bias=bias)
    joint = (part.flatten(0, 1)[None] for part in (query, key, value))
    return attention(*joint, bias=(mask[:, None] + bias).flatten(0, 1)[None]).view(query.shape)


def attends(attend: Attend) -> Callable[[Case, torch.device], Step]:
    def build(case: Case, device: torch.device) -> Step:
        shape, has_bias, has_mask = case.options["shape"]
        is_training, dtype = case.options["is_training"], case.options["dtype"]
        generator = torch.Generator().manual_seed(0)

        def random(*sizes: int) -> Tensor:
            values = torch.randn(*sizes, generator=generator).to(device, dtype)
            return values.requires_grad_(is_training)

        inputs = [random(*shape) for _ in range(3)]
        tokens = shape[2]
        bias = random(1, shape[1], tokens, tokens) if has_bias else None
        mask = None
        if has_mask:  # the last window of a row is torn
            mask = torch.zeros(shape[0], tokens, tokens, device=device, dtype=dtype)
            mask[::8, : tokens // 2, tokens // 2 :] = -100.0
        weight = torch.randn(shape, generator=generator).to(device, dtype)
        trained = [*inputs, bias] if has_bias else inputs

        def step() -> list[Tensor]:
            with torch.set_grad_enabled(is_training):
                output = attend(*inputs, bias, mask)
            if not is_training:
                return [output]
            return [output.detach(), *torch.autograd.grad((output * weight).sum(), trained)]

        return step

    return build


def cases(is_quick: bool) -> list[Case]:
    dtypes = DTYPES if torch.cuda.is_available() or has_bfloat16() else ("fp32",)
    names = list(SHAPES)[2:3] if is_quick else SHAPES
    return [
        Case(
            f"{name}, {dtype}{', with gradients' if is_training else ''}",
            dict(shape=SHAPES[name], dtype=DTYPES[dtype], is_training=is_training),
            tolerance=1e-4 if dtype == "fp32" else 0.05,
        )
        for name, dtype, is_training in product(names, dtypes, (False, True))
    ]


BENCHMARK = Benchmark(
    "Attention",
    cases,
    {"vitdet": attends(ours), "explicit": attends(explicit), "fused": attends(fused)},
)
