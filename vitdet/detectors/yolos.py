"""YOLOS (Fang et al., "You Only Look at One Sequence", NeurIPS 2021, arXiv:2106.00666)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from vitdet.backbones import VisionTransformer
from vitdet.backbones.backbone import InitConfig, published_size, run_block
from vitdet.detectors.positions import sine_waves
from vitdet.detectors.set_predictor import PredictionHead, SetPredictor
from vitdet.errors import UserError
from vitdet.layers.position_embedding import resize_position_embedding
from vitdet.registry import MODELS


class YOLOSArch(NamedTuple):
    """A published size: of the transformer, and of the images its positions were made for."""

    embed_dims: int
    depth: int
    num_heads: int
    img_size: tuple[int, int]
    mid_img_size: tuple[int, int] | None


ARCHS = {
    "tiny": YOLOSArch(192, 12, 3, (800, 1333), None),
    "small": YOLOSArch(384, 12, 6, (512, 864), (512, 864)),
    "small_dwr": YOLOSArch(330, 14, 6, (512, 864), (512, 864)),
    "base": YOLOSArch(768, 12, 12, (800, 1344), (800, 1344)),
}


class Decoded(NamedTuple):
    """What YOLOS computes of a batch; there is one layer that detects, the last.

    Attributes:
        queries: (1, B, Q, C) the detection tokens after the norm.
        logits: (1, B, Q, K + 1), no object last.
        boxes: (1, B, Q, 4) cxcywh as shares of the image, without its padding.
        attention: where asked for, what the detection tokens take of all tokens (class, patches row
            by row, detection), for each block (B, num_heads, Q, N).
    """

    queries: Tensor
    logits: Tensor
    boxes: Tensor
    attention: list[Tensor] | None = None


@MODELS.register_module()
class YOLOS(SetPredictor):
    """Detection tokens join the patches of a plain transformer, and come out as objects.

    Padding of a batch is not masked, and what does not fill a patch at the bottom and right is
    left out, both as published.

    Args:
        backbone: published size, "tiny", "small", "small_dwr" or "base", or arguments of
            `VisionTransformer` with it as `arch`, of which they may replace any. An `init_cfg` in
            them starts from classifiers in any published layout; detection tokens stay fresh.
        num_classes: K. Published files count COCO's category ids, up to 90, and have 91.
        num_queries: Q, the detection tokens: the most objects that can be found in an image.
        mid_img_size: side, or (height, width), in pixels of the images that positions added before
            every block but the first are made for; 0 for no such positions, None for the size's.
        has_sine_start: for learning from scratch: patches' positions start as sines and cosines,
            detection tokens as far apart, where the published start, values of 0.02, leaves
            places and tokens nearly alike.
        matcher: arguments of `HungarianMatcher`.
        criterion: arguments of `SetCriterion`.
        max_per_image: objects returned per image, the best; by default all Q.
        data_preprocessor: mmdet's, as config or built.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = "small",
        num_classes: int = 91,
        *,
        num_queries: int = 100,
        mid_img_size: int | Sequence[int] | None = None,
        has_sine_start: bool = False,
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
        arguments = {"arch": backbone} if isinstance(backbone, str) else dict(backbone)
        size = published_size(ARCHS, arguments.get("arch", "small"), "YOLOS")
        self.backbone = _plain_transformer(size, arguments)
        dim, num_class_tokens = self.backbone.embed_dims, self.backbone.num_class_tokens
        self.det_token = nn.Parameter(torch.empty(1, num_queries, dim))
        self.det_pos_embed = nn.Parameter(torch.empty(1, num_queries, dim))
        parameters = [self.det_token, self.det_pos_embed]
        mid_img_size = size.mid_img_size if mid_img_size is None else mid_img_size
        self.mid_pos_embed = self.mid_token_pos_embed = None
        if mid_img_size:
            num_layers = len(self.backbone.blocks) - 1
            grid = _grid(mid_img_size, self.backbone.patch_embed.patch_size)
            num_tokens = num_class_tokens + num_queries
            self.mid_pos_embed = nn.Parameter(torch.empty(num_layers, dim, *grid))
            self.mid_token_pos_embed = nn.Parameter(torch.empty(num_layers, num_tokens, dim))
            parameters += [self.mid_pos_embed, self.mid_token_pos_embed]
        for parameter in parameters:
            nn.init.trunc_normal_(parameter, std=0.02)
        if has_sine_start:
            self._start_from_sines()
        self.class_embed = PredictionHead(dim, num_classes + 1)
        self.bbox_embed = PredictionHead(dim, 4)

    @torch.no_grad()
    def _start_from_sines(self) -> None:
        positions = self.backbone.pos_embed
        positions.copy_(sine_waves(positions.shape[1], positions.shape[2:]))
        nn.init.normal_(self.det_token)

    @property
    def num_queries(self) -> int:
        """Q."""
        return self.det_token.shape[1]

    def decode(
        self,
        inputs: Tensor,
        data_samples: Sequence[DetDataSample] | None = None,
        *,
        return_attention: bool = False,
    ) -> Decoded:
        """Compute all that is predicted; `data_samples` are not looked at."""
        x, grid = self.embed(inputs)
        positions = self.mid_positions(grid)
        attention = [] if return_attention else None
        blocks, num_queries = self.backbone.blocks, self.num_queries
        for index, block in enumerate(blocks):
            if index and positions is not None:
                x = x + positions[index - 1].to(x.dtype)
            if attention is not None:
                attention.append(block.attn.weights(block.norm1(x), num_queries=num_queries))
            # After the last block only the detection tokens are read.
            kept = num_queries if index == len(blocks) - 1 else None
            x = run_block(block, x, kept, with_checkpoint=self.backbone.with_checkpoint)
        queries = self.backbone.norm(x)[None]
        return Decoded(
            queries,
            logits=self.class_embed(queries),
            boxes=self.bbox_embed(queries).float().sigmoid(),
            attention=attention,
        )

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Map images: (B, 3, H, W) to the first block's tokens, (B, N, C), and the patches' grid.

        The tokens are those of the backbone, and after them the detection tokens.
        """
        x, grid = self.backbone.embed(images)
        tokens = (self.det_token + self.det_pos_embed).to(x.dtype).expand(x.shape[0], -1, -1)
        return torch.cat([x, tokens], 1), grid

    def mid_positions(self, grid: tuple[int, int]) -> Tensor | None:
        """Positions of all tokens before every block but the first, (depth - 1, N, C), if any.

        Unlike the published code this also resizes those of a grid of other sides that has as many
        patches by chance.
        """
        if self.mid_pos_embed is None:
            return None
        patches = resize_position_embedding(self.mid_pos_embed, grid).flatten(2).transpose(1, 2)
        num_class_tokens = self.backbone.num_class_tokens
        of_class, of_queries = self.mid_token_pos_embed.split(
            [num_class_tokens, self.num_queries], dim=1
        )
        return torch.cat([of_class, patches, of_queries], 1)


def _plain_transformer(size: YOLOSArch, arguments: dict[str, Any]) -> VisionTransformer:
    """The transformer of a size, with some arguments replaced."""
    arguments.pop("arch", None)
    cls = arguments.pop("type", VisionTransformer)
    cls = MODELS.get(cls) if isinstance(cls, str) else cls
    if cls is not VisionTransformer:
        raise UserError(
            f"YOLOS: its backbone is a VisionTransformer, not {getattr(cls, '__name__', cls)}"
        )
    own = dict(
        embed_dims=size.embed_dims,
        depth=size.depth,
        num_heads=size.num_heads,
        img_size=size.img_size,
        drop_path_rate=0.0,
    )
    backbone = VisionTransformer(
        "base", **{**own, **arguments, "out_indices": (), "out_strides": None, "final_norm": True}
    )
    if backbone.keeps_map:
        raise UserError(
            "YOLOS: detection tokens attend to all patches; leave window_size and use_rel_pos out"
        )
    backbone.patch_embed.drops_remainder = True
    return backbone


def _grid(img_size: int | Sequence[int], patch_size: int) -> tuple[int, int]:
    """Rows and columns of whole patches in an image, at least one."""
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    return max(height // patch_size, 1), max(width // patch_size, 1)
