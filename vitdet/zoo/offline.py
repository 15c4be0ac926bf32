"""Make a config's model buildable without fetching a byte, and small enough to step on a CPU."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_DROPPED = ("pretrained", "teacher_ckpt", "load_from")
_NOBODY = "http://127.0.0.1:9"  # the discard port: a proxy that refuses at once


def stay_offline() -> None:
    """Let whatever this process asks of the network fail at once, instead of after minutes."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        os.environ[name] = _NOBODY
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Read once, when it is imported; other packages may have done so already.
    if hub := sys.modules.get("huggingface_hub.constants"):
        hub.HF_HUB_OFFLINE = True


def drop_weights(node: Any) -> None:
    """Remove every entry that names pretrained weights from a model config, in place."""
    if isinstance(node, Mapping):
        for key in _DROPPED:
            if isinstance(node.get(key), str):
                node[key] = None
        init = node.get("init_cfg")
        if isinstance(init, Mapping) and _is_pretrained(init):
            node["init_cfg"] = None
        elif isinstance(init, Sequence):
            node["init_cfg"] = [one for one in init if not _is_pretrained(one)] or None
        for value in node.values():
            drop_weights(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            drop_weights(value)


def _is_pretrained(init: Mapping[str, Any]) -> bool:
    """Whether an `init_cfg` names a checkpoint; that of mmdet's PVT does so without a type."""
    return init.get("type") == "Pretrained" or ("type" not in init and "checkpoint" in init)
