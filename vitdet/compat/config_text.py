"""The text of a config is laid out once, not for each checkpoint.

Breaks: nothing; mmengine (<= 0.10) has yapf format the config whenever its text is asked for, which
takes 0.2 to 1 s, as long as writing a small model's checkpoint does many times over.
Delete when mmengine keeps the text.
"""

from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


def _patch(module: ModuleType) -> None:
    lay_out = module.Config.pretty_text.fget

    def pretty_text(config: Any) -> str:
        content = repr(config._cfg_dict)
        kept = config.__dict__.get("_laid_out")
        if kept is None or kept[0] != content:
            kept = (content, lay_out(config))
            object.__setattr__(config, "_laid_out", kept)  # a config takes others for its keys
        return kept[1]

    module.Config.pretty_text = property(pretty_text, doc=module.Config.pretty_text.__doc__)


def install() -> None:
    """Register the patch of `mmengine.config.config`."""
    when_imported("mmengine.config.config", _patch)
