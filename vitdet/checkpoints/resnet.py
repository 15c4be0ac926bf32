"""Checkpoints of ResNets: torchvision's names are used by timm, mmdet and DETR's authors too."""

from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict


def recognises(state: StateDict) -> bool:
    return "conv1.weight" in state and "layer1.0.conv1.weight" in state


FAMILY = Family(
    layouts=(Layout("torchvision", recognises, lambda state: Converted(dict(state))),),
    resizers={},
    optional=lambda state, key: False,
    spare=r"^fc\.|.*\.num_batches_tracked$",  # frozen norms count no batches
)
