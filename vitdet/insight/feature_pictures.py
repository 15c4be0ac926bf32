"""`visualize features`: the maps of a model's stages and neck, as colours."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vitdet.datasets.image_sources import images_of
from vitdet.insight.feature_components import component_colours
from vitdet.insight.heat import resized, to_pixels
from vitdet.insight.model_view import View, load_predictor, view_of
from vitdet.insight.sheet import Group, Panel, write_sheet
from vitdet.insight.stage_maps import StageMap, stage_maps
from vitdet.insight.token_layout import Grid

_NOTE = (
    "The three strongest components of each map as red, green and blue, the same for all images: "
    "equal colours are similar features."
)


def draw_features(
    checkpoint: str | Path,
    images: Sequence[str | Path],
    *,
    side: int = 320,
    out: str | Path | None = "features.png",
    html: str | Path | None = None,
    columns: int = 5,
    device: str | None = None,
) -> list[Path]:
    """Draw the feature maps of images in a trained model, as PNG, as a page, or both.

    Returns the files. Raises UserError as `Predictor` does, and where the model has no maps.
    """
    predictor = load_predictor(checkpoint, device)
    views, maps, titles = [], [], []
    for image in images_of(list(images)):
        views.append(view_of(predictor, image.image))
        maps.append(model_maps(predictor.model, views[-1].inputs))
        titles.append(image.stem)
    colours = [
        component_colours(
            [
                _without_padding(of_image[level], view)
                for of_image, view in zip(maps, views, strict=True)
            ]
        )
        for level in range(len(maps[0]) if maps else 0)
    ]
    groups = [
        Group(
            title,
            [Panel(resized(view.pixels, side), "image")]
            + [
                Panel(_picture(of_level[number], stage, view, side), _caption(stage))
                for of_level, stage in zip(colours, of_image, strict=True)
            ],
        )
        for number, (title, view, of_image) in enumerate(zip(titles, views, maps, strict=True))
    ]
    title = f"Features of {Path(checkpoint).name}"
    return write_sheet(groups, title=title, note=_NOTE, columns=columns, out=out, html=html)


@torch.no_grad()
def model_maps(model: nn.Module, inputs: Tensor) -> list[StageMap]:
    """The maps of the stages of a model's backbone and, if it has one, of its neck.

    inputs: (B, 3, H, W).
    """
    maps = stage_maps(getattr(model, "backbone", model), inputs)
    if getattr(model, "neck", None) is None:
        return maps
    return maps + [
        StageMap(f"neck, level {level}", one, inputs.shape[2] / one.shape[2])
        for level, one in enumerate(model.extract_feat(inputs))
    ]


def _caption(stage: StageMap) -> str:
    return f"{stage.name}, stride {stage.stride:g}, {stage.features.shape[1]} channels"


def _without_padding(stage: StageMap, view: View) -> Tensor:
    """(C, h, w) of the only image, without the places that stand for its padding."""
    height, width = (max(-(-side // round(stage.stride)), 1) for side in view.pixels.shape[:2])
    return stage.features[0, :, :height, :width].float().cpu()


def _picture(colours: Tensor, stage: StageMap, view: View, side: int) -> Image.Image:
    """(H, W, 3) colours of a map on the pixels that they stand for."""
    grid = Grid(*colours.shape[:2], max(round(stage.stride), 1))
    size = view.pixels.shape[:2]
    pixels = np.stack([to_pixels(one, grid, size) for one in colours.unbind(-1)], -1)
    return resized((255 * pixels).round().astype(np.uint8), side, smooth=False)
