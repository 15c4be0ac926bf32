"""ViT as its authors publish it, in `.npz` files of JAX arrays (google-research)."""

from torch import Tensor

from vitdet.checkpoints.layout import Converted, Layout, StateDict, join_qkv, rename
from vitdet.checkpoints.vit_official import part_positions

PREFIX = "opt/target/"  # of files that hold the optimizer, too
RENAMES = (
    (rf"^{PREFIX}", ""),
    (r"/", "."),
    (r"^cls$", "cls_token"),
    (r"^embedding\.", "patch_embed.proj."),
    (r"^Transformer\.posembed_input\.pos_embedding$", "pos_embed"),
    (r"^Transformer\.encoder_norm\.", "norm."),
    (r"^Transformer\.encoderblock_", "blocks."),
    (r"\.LayerNorm_0\.", ".norm1."),
    (r"\.LayerNorm_2\.", ".norm2."),
    (r"\.MultiHeadDotProductAttention_1\.out\.", ".attn.proj."),
    (r"\.MultiHeadDotProductAttention_1\.", ".attn."),
    (r"\.MlpBlock_3\.Dense_0\.", ".mlp.fc1."),
    (r"\.MlpBlock_3\.Dense_1\.", ".mlp.fc2."),
    (r"\.scale$", ".weight"),
)
IGNORED = (r"^opt/state/",)


def recognises(state: StateDict) -> bool:
    key = "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel"
    return key in state or PREFIX + key in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    for key in list(converted.state):
        tensor = converted.state.pop(key)
        if key.endswith(".kernel"):
            key, tensor = key.removesuffix("kernel") + "weight", _as_weight(key, tensor)
        elif ".attn." in key:
            tensor = tensor.flatten()  # biases of queries, keys and values by head
        converted.state[key] = tensor
    join_qkv(converted.state)
    part_positions(converted)
    return converted


def _as_weight(key: str, kernel: Tensor) -> Tensor:
    """Turn a kernel, whose last dimensions are outputs, into a weight, whose first are."""
    if kernel.ndim == 4:
        return kernel.permute(3, 2, 0, 1)  # (H, W, in, out)
    if kernel.ndim == 3:  # (num_heads, D, C) of the projection, else (C, num_heads, D)
        kernel = kernel.flatten(0, 1) if ".attn.proj." in key else kernel.flatten(1)
    return kernel.t()


LAYOUT = Layout("flax", recognises, convert)
