"""DETR as its authors publish it; panoptic models have the detector under `detr.`."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename

KEY = "transformer.decoder.layers.0.multihead_attn.in_proj_weight"
MASK_HEAD_RENAMES = (
    (r"^bbox_attention\.q_linear\.", "mask_head.query."),
    (r"^bbox_attention\.k_linear\.", "mask_head.key."),
    (r"^mask_head\.lay(\d)\.", lambda match: f"mask_head.convs.{int(match[1]) - 1}."),
    (r"^mask_head\.gn(\d)\.", lambda match: f"mask_head.norms.{int(match[1]) - 1}."),
    (r"^mask_head\.adapter(\d)\.", lambda match: f"mask_head.adapters.{int(match[1]) - 1}."),
    (r"^mask_head\.out_lay\.", "mask_head.out."),
)
RENAMES = (
    (r"^detr\.", ""),
    (r"^backbone\.0\.body\.", "backbone."),
    (r"^backbone\.1\.(row|col)_embed\.weight$", r"positions.\1_embed"),
    (r"\.multihead_attn\.", ".cross_attn."),
    (r"\.in_proj_(weight|bias)$", r".qkv.\1"),
    (r"\.out_proj\.", ".proj."),
    (r"\.linear1\.", ".mlp.fc1."),
    (r"\.linear2\.", ".mlp.fc2."),
    *MASK_HEAD_RENAMES,
)


def recognises(state: StateDict) -> bool:
    return KEY in state or f"detr.{KEY}" in state


def convert(state: StateDict) -> Converted:
    return rename(state, RENAMES, ignored=[r"\.num_batches_tracked$"])


LAYOUT = Layout("official", recognises, convert)
