"""Lets mmpretrain be imported beside a current transformers.

Breaks: mmpretrain 1.2 defines its language models whenever transformers is installed, from parts
that transformers >= 5 no longer has (`TypeError: NoneType takes no arguments`); then neither it nor
mmdet, which asks for it, can be imported. Its own switch for "no language models" is thrown here:
each of them then says what it needs when it is built. Delete when mmpretrain reads transformers 5.
"""

from types import ModuleType

from vitdet.compat.hooks import when_imported

_REMOVED_IN_5 = "apply_chunking_to_forward"


def _patch(dependency: ModuleType) -> None:
    if dependency.WITH_MULTIMODAL:
        from transformers import modeling_utils

        dependency.WITH_MULTIMODAL = hasattr(modeling_utils, _REMOVED_IN_5)


def install() -> None:
    """Register the patch of `mmpretrain.utils.dependency`."""
    when_imported("mmpretrain.utils.dependency", _patch)
