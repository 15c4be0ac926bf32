"""DETR (Carion et al., "End-to-End Object Detection with Transformers", ECCV 2020,
arXiv:2005.12872).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from torch import Tensor, nn

from vitdet.backbones.backbone import Backbone, InitConfig
from vitdet.detectors.mask_head import MaskHead
from vitdet.detectors.positions import LearnedPositions, SinePositions
from vitdet.detectors.set_predictor import PredictionHead, SetPredictor
from vitdet.detectors.transformer import DetrTransformer
from vitdet.errors import UserError
from vitdet.registry import MODELS
from vitdet.set_prediction import targets_of
from vitdet.set_prediction.postprocess import (
    Detections,
    masks_in_image,
    panoptic_segments,
)

POSITIONS = {"sine": SinePositions, "learned": LearnedPositions}


class Decoded(NamedTuple):
    """What DETR computes of a batch.

    Attributes:
        queries: (num_layers, B, Q, C) after each decoder layer.
        logits: (num_layers, B, Q, K + 1), no object last.
        boxes: (num_layers, B, Q, 4) cxcywh as shares of the image, without its padding.
        maps: of the backbone, finest first.
        projected: (B, C, h, w) what was encoded.
        memory: (B, C, h, w) the encoding.
        is_padding: (B, h, w).
        attention: where asked for, weights of the "encoder" and of the decoder's "queries" and
            "memory", for each layer (B, num_heads, N, M).
    """

    queries: Tensor
    logits: Tensor
    boxes: Tensor
    maps: tuple[Tensor, ...]
    projected: Tensor
    memory: Tensor
    is_padding: Tensor
    attention: dict[str, list[Tensor]] | None = None


@MODELS.register_module()
class DETR(SetPredictor):
    """Detects objects as a set: each query predicts one or none, and nothing is suppressed after.

    The modes of `forward`, its inputs and its results are those of mmdet's detectors.

    Args:
        backbone: a backbone of ours, or the config of one; its last map is encoded.
        num_classes: K. Published files count COCO's category ids, up to 90, and have 91.
        num_queries: Q, the most objects that can be found in an image.
        embed_dims: C of the transformer.
        num_heads: heads of each attention.
        num_encoder_layers: layers that let the map's tokens attend to each other.
        num_decoder_layers: layers of the queries; each is trained to detect.
        feedforward_channels: hidden channels of the feed-forward networks.
        dropout: rate after every attention and feed-forward network.
        pre_norm: normalize before each part of a layer instead of after it.
        positions: "sine" or "learned".
        with_masks: whether to predict masks, from four maps of the backbone.
        num_mask_heads: attention maps that a mask is made of, a multiple of 8; by default
            `num_heads`, as published.
        mask_attention_gain: see `MaskHead`.
        num_thing_classes: where given, masks also become a panoptic map; the first classes are
            things, the others stuff.
        panoptic_threshold: objects scored lower get no pixel of that map.
        has_frozen_detector: train the masks only, on a detector that is finished: nothing else
            changes, and, other than in the authors' code, nothing is dropped out.
        matcher: arguments of `HungarianMatcher`.
        criterion: arguments of `SetCriterion`.
        max_per_image: objects returned per image, the best; by default all Q.
        data_preprocessor: mmdet's, as config or built.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        backbone: Backbone | dict[str, Any],
        num_classes: int,
        *,
        num_queries: int = 100,
        embed_dims: int = 256,
        num_heads: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        feedforward_channels: int = 2048,
        dropout: float = 0.1,
        pre_norm: bool = False,
        positions: str = "sine",
        with_masks: bool = False,
        num_mask_heads: int | None = None,
        mask_attention_gain: float = 1.0,
        num_thing_classes: int | None = None,
        panoptic_threshold: float = 0.85,
        has_frozen_detector: bool = False,
        matcher: Mapping[str, float] | None = None,
        criterion: Mapping[str, float] | None = None,
        max_per_image: int | None = None,
        data_preprocessor: nn.Module | dict[str, Any] | None = None,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(
            num_classes,
            matcher=matcher,
            criterion=criterion,
            max_per_image=max_per_image,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        if positions not in POSITIONS:
            raise UserError(f"DETR: positions {positions!r} are none of {', '.join(POSITIONS)}")
        if num_thing_classes is not None and not with_masks:
            raise UserError("DETR: num_thing_classes needs masks; set with_masks=True")
        if has_frozen_detector and not with_masks:
            raise UserError("DETR: has_frozen_detector needs masks to train; set with_masks=True")
        self.backbone = backbone if isinstance(backbone, nn.Module) else MODELS.build(backbone)
        if not isinstance(self.backbone, Backbone):
            raise UserError(
                f"DETR: {type(self.backbone).__name__} is no backbone of vitdet; take one of "
                "vitdet.backbones"
            )
        self.num_thing_classes = num_thing_classes
        self.panoptic_threshold = panoptic_threshold
        self.has_frozen_detector = has_frozen_detector
        self.input_proj = nn.Conv2d(self.backbone.out_channels[-1], embed_dims, 1)
        self.positions = POSITIONS[positions](embed_dims)
        self.transformer = DetrTransformer(
            embed_dims,
            num_heads,
            num_encoder_layers=num_encoder_layers,
            num_decoder_layers=num_decoder_layers,
            feedforward_channels=feedforward_channels,
            dropout=dropout,
            pre_norm=pre_norm,
        )
        self.query_embed = nn.Embedding(num_queries, embed_dims)
        self.class_embed = nn.Linear(embed_dims, num_classes + 1)
        self.bbox_embed = PredictionHead(embed_dims, 4)
        self.mask_head = None
        if with_masks:
            self.mask_head = MaskHead(
                embed_dims,
                num_mask_heads or num_heads,
                self.backbone.out_channels,
                attention_gain=mask_attention_gain,
            )
        if has_frozen_detector:
            self.requires_grad_(False)
            self.mask_head.requires_grad_(True)

    def train(self, mode: bool = True) -> "DETR":
        """Switch to training, but for what is frozen."""
        super().train(mode and not self.has_frozen_detector)
        if self.has_frozen_detector:
            self.training = mode
            self.mask_head.train(mode)
        return self

    def decode(
        self,
        inputs: Tensor,
        data_samples: Sequence[DetDataSample] | None = None,
        *,
        return_attention: bool = False,
    ) -> Decoded:
        """Compute all that is predicted, without judging it; arguments as in `forward`."""
        maps = self.backbone(inputs)
        projected = self.input_proj(maps[-1])
        is_padding = padding_of(data_samples, inputs.shape, projected)
        has_padding = data_samples is not None and any(
            tuple(sample.img_shape[:2]) != tuple(inputs.shape[2:]) for sample in data_samples
        )
        bias = padding_bias(is_padding, projected.dtype) if has_padding else None
        positions = self.positions(is_padding).flatten(1, 2).to(projected.dtype)

        weights = ([], []) if return_attention else (None, None)
        tokens = projected.flatten(2).transpose(1, 2)
        memory = self.transformer.encode(tokens, positions, bias=bias, weights=weights[0])
        queries = self.transformer.decode(
            memory, positions, self.query_embed.weight, bias=bias, weights=weights[1]
        )
        attention = None
        if return_attention:
            within, to_memory = weights[1][::2], weights[1][1::2]
            attention = {"encoder": weights[0], "queries": within, "memory": to_memory}
        return Decoded(
            queries,
            logits=self.class_embed(queries),
            boxes=self.bbox_embed(queries).float().sigmoid(),
            maps=maps,
            projected=projected,
            memory=memory.transpose(1, 2).unflatten(2, projected.shape[2:]),
            is_padding=is_padding,
            attention=attention,
        )

    def loss(self, inputs: Tensor, data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """Losses by name, see `SetCriterion`; arguments as in `forward`."""
        decoded = self.decode(inputs, data_samples)
        has_masks = self.mask_head is not None
        targets = targets_of(data_samples, with_masks=has_masks)

        def masks_of(images: Tensor, queries: Tensor) -> Tensor:
            return self.masks(decoded, images, queries)

        return self.criterion(
            decoded.logits, decoded.boxes, targets, masks_of=masks_of if has_masks else None
        )

    def masks(self, decoded: Decoded, images: Tensor, queries: Tensor) -> Tensor:
        """Mask logits (M, H, W) of some queries: images and queries: (M,) say which."""
        return self.mask_head(
            decoded.queries[-1][images, queries],
            images,
            projected=decoded.projected,
            memory=decoded.memory,
            is_padding=decoded.is_padding,
            maps=decoded.maps[:-1],
        )

    def predict(
        self, inputs: Tensor, data_samples: Sequence[DetDataSample]
    ) -> Sequence[DetDataSample]:
        """Add to each sample `pred_instances`, in pixels of the original image, best first.

        With masks they have `masks`, and with `num_thing_classes` there is `pred_panoptic_seg`.
        """
        decoded = self.decode(inputs, data_samples)
        found = self._add_instances(decoded, data_samples)
        if self.mask_head is not None:
            batch_shape = tuple(inputs.shape[2:])
            for image, (sample, objects) in enumerate(zip(data_samples, found, strict=True)):
                self._add_masks(decoded, image, sample, objects, batch_shape)
        return data_samples

    def _add_masks(
        self,
        decoded: Decoded,
        image: int,
        sample: DetDataSample,
        objects: Detections,
        batch_shape: tuple[int, int],
    ) -> None:
        logits = self.masks(decoded, torch.full_like(objects.queries, image), objects.queries)
        shapes = dict(
            batch_shape=batch_shape, img_shape=sample.img_shape, ori_shape=sample.ori_shape
        )
        sample.pred_instances.masks = masks_in_image(logits, **shapes)
        if self.num_thing_classes is not None:
            classes = torch.arange(self.num_classes, device=logits.device)
            segments = panoptic_segments(
                objects,
                logits,
                is_thing=classes < self.num_thing_classes,
                score_threshold=self.panoptic_threshold,
                **shapes,
            )
            sample.pred_panoptic_seg = PixelData(sem_seg=segments[None])


def padding_of(
    samples: Sequence[DetDataSample] | None, batch_shape: Sequence[int], like: Tensor
) -> Tensor:
    """Which places of a map stand for no pixel of the image, (B, h, w) bool.

    Args:
        samples: one for each image, with `img_shape`; without any, there is no padding.
        batch_shape: (B, 3, H, W) of the padded images.
        like: (B, C, h, w) the map.
    """
    batch, _, height, width = batch_shape
    rows, columns = like.shape[2:]
    if samples is None:
        return torch.zeros(batch, rows, columns, dtype=torch.bool, device=like.device)
    # A place stands for the pixel that nearest-neighbour interpolation takes, as in DETR's code.
    extents = [
        (-(-sample.img_shape[0] * rows // height), -(-sample.img_shape[1] * columns // width))
        for sample in samples
    ]
    extents = torch.tensor(extents, pin_memory=like.device.type == "cuda")
    extents = extents.to(like.device, non_blocking=True)
    is_below = torch.arange(rows, device=like.device) >= extents[:, :1]
    is_beside = torch.arange(columns, device=like.device) >= extents[:, 1:]
    return is_below[:, :, None] | is_beside[:, None, :]


def padding_bias(is_padding: Tensor, dtype: torch.dtype) -> Tensor:
    """Minus infinity on keys that are padding: (B, h, w) to (B, 1, 1, N).

    Rows begin at multiples of 8 elements: GPU kernels would copy the bias otherwise.
    """
    is_padding = is_padding.flatten(1)
    num_tokens = is_padding.shape[1]
    is_padding = F.pad(is_padding, (0, -num_tokens % 8))
    bias = torch.zeros(is_padding.shape, dtype=dtype, device=is_padding.device)
    return bias.masked_fill_(is_padding, float("-inf"))[:, None, None, :num_tokens]
