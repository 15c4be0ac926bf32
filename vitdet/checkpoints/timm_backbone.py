"""Files of timm for a `TimmBackbone`: the keys of whichever model it holds.

Nothing in them tells timm's model from any other, so they are recognised by the module they are
for, and not listed among the layouts that recognise themselves.
"""

import re

from vitdet.backbones.timm import TimmBackbone, flat_name, published_keys
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict

# Buffers that older releases saved.
COMPUTED = re.compile(r"\.(relative_position_index|relative_coords_table|attn_mask)$")


def family_of(backbone: TimmBackbone) -> Family:
    """Return the layouts of one backbone: ours, and timm's with or without `features_only`."""
    ours = {flat_name(key.removeprefix("net.")): key for key in backbone.state_dict()}
    published = {flat_name(key) for key in published_keys(backbone.name)}

    def convert(state: StateDict) -> Converted:
        converted = Converted()
        for key, tensor in state.items():
            name = flat_name(key)
            if name in ours:
                converted.state[ours[name]] = tensor
            elif name in published or COMPUTED.search(key):
                converted.ignored.append(key)  # the classifier's, or of a level not returned
            else:
                converted.state[key] = tensor
        return converted

    return Family(
        layouts=(
            Layout(
                "vitdet",
                lambda state: any(key.startswith("net.") for key in state),
                lambda state: Converted(dict(state)),
            ),
            Layout("timm", lambda state: any(flat_name(key) in ours for key in state), convert),
        ),
        resizers={},
        optional=lambda state, key: False,
        spare=r"(?!)",
    )
