"""All that is known about checkpoints of the Focal Transformer."""

import re

from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict, rename

BIASES = r"\.blocks\.\d+\.attn\.relative_position_bias_table_to_(neighbors|windows\.\d+)$"
OUTPUT_NORM = re.compile(r"^norms\.(\d+)\.")
# What models compute by themselves.
IGNORED = (r"\.relative_position_index(_\d+)?$", r"\.valid_ind_\w+$", r"\.attn_mask$")


def _has_biases(state: StateDict, stages: str) -> bool:
    return any(re.match(rf"{stages}\.\d+{BIASES}", key) for key in state)


def _convert_official(state: StateDict) -> Converted:
    renames = [(r"^layers\.", "stages."), (r"^norm(\d+)\.", r"norms.\1.")]
    return rename(state, renames, IGNORED)


def _may_stay_fresh(state: StateDict, key: str) -> bool:
    """Output norms belong to detection; biases for the surroundings are absent from a stage whose
    map was a single window when the file was made."""
    if OUTPUT_NORM.match(key):
        return not any(map(OUTPUT_NORM.match, state))
    stage, _, table = key.partition(".blocks.")
    return table.endswith("_to_neighbors") and not any(
        other.startswith(f"{stage}.") and other.endswith("_to_neighbors") for other in state
    )


FAMILY = Family(
    layouts=(
        Layout(
            "vitdet",
            lambda state: _has_biases(state, "stages"),
            lambda state: Converted(dict(state)),
        ),
        Layout("official", lambda state: _has_biases(state, "layers"), _convert_official),
    ),
    resizers={},
    optional=_may_stay_fresh,
    # Output norms of stages that the model does not return; the norm and head of a classifier.
    spare=r"^norms\.\d+\.|^norm\.|^head\.",
)
