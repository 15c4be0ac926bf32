"""How much a model computes for an image, counted and not run."""

import torch
from mmdet.models.dense_heads import MaskFormerHead
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vitdet.classification import ImageClassifier
from vitdet.detectors.set_predictor import SetPredictor


def multiply_adds(model: nn.Module, height: int, width: int) -> int | None:
    """Multiply-adds of a model on the meta device for one image, or None where its parts are not
    known here.

    Parts are counted one by one: RoIAlign and suppression between them need real numbers.
    """
    image = torch.empty(1, 3, height, width, device="meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        if isinstance(model, ImageClassifier):
            model(image, mode="tensor")
            return counter.get_total_flops() // 2
        if isinstance(model, SetPredictor):
            model.requires_grad_(False)  # the counter cannot follow views of parameters that do
            decoded = model.decode(image)
            if getattr(model, "mask_head", None) is not None:  # one mask for each query
                queries = torch.arange(decoded.logits.shape[2], device="meta")
                model.masks(decoded, torch.zeros_like(queries), queries)
            return counter.get_total_flops() // 2
        maps = model.backbone(image)
        if getattr(model, "neck", None) is not None:
            maps = model.neck(maps)
        known = [
            _count_head(model, name, maps) for name in ("rpn_head", "bbox_head", "decode_head")
        ]
        if hasattr(model, "roi_head"):
            _run_roi_head(model.roi_head, maps)
        elif not any(known) or hasattr(model, "encoder"):
            return None
    return counter.get_total_flops() // 2


def _count_head(model: nn.Module, name: str, maps: tuple[Tensor, ...]) -> bool:
    head = getattr(model, name, None)
    # A transformer stands between maps and head, or in the head.
    if head is None or hasattr(model, "encoder") or isinstance(head, MaskFormerHead):
        return False
    head(maps)
    return True


def _run_roi_head(roi_head: nn.Module, maps: tuple[Tensor, ...]) -> None:
    for name, extractor, count in (
        ("bbox_head", "bbox_roi_extractor", 1000),
        ("mask_head", "mask_roi_extractor", 100),
    ):
        heads, extractors = getattr(roi_head, name, None), getattr(roi_head, extractor, None)
        if heads is None:
            continue
        several = isinstance(heads, nn.ModuleList)
        for stage, head in enumerate(heads if several else [heads]):
            one = extractors[stage] if isinstance(extractors, nn.ModuleList) else extractors
            size = one.roi_layers[0].output_size
            head(torch.empty(count, maps[0].shape[1], *size, device="meta"))
