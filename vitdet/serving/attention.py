"""What an object or a place of a photo attends to, as json."""

import numpy as np
from pydantic import BaseModel, Field

from vitdet.errors import UserError
from vitdet.inference import Predictor

Box = tuple[float, float, float, float]


class Attention(BaseModel):
    """How much is taken of each token of a layer's map, by the mean of its heads."""

    layer: str
    columns: int
    rows: int
    token: tuple[float, float] = Field(description="width and height of one, over the photo's")
    values: list[int] = Field(description="0 to 255, the most; row by row")


def layers_to_ask(predictor: Predictor) -> list[str]:
    """Layers of the model that can be asked, in running order; of an exported model none."""
    if not hasattr(predictor, "model"):
        return []
    from vitdet.insight.look import choose_layers

    try:
        return choose_layers(predictor.model)
    except UserError:  # no attention of ours
        return []


def attend(
    predictor: Predictor,
    pixels: np.ndarray,
    *,
    layer: str,
    point: tuple[float, float],
    box: Box | None = None,
) -> Attention:
    """Ask a layer.

    Args:
        predictor: the model, of torch.
        pixels: (H, W, 3) uint8 RGB.
        layer: one of `layers_to_ask`.
        point: x, y of who asks, as shares of the photo's sides.
        box: xyxy in shares of an object: where a model predicts sets, its query asks.

    Raises UserError if nobody there asks in this layer.
    """
    from vitdet.insight.look import look
    from vitdet.insight.model_view import view_of

    view = view_of(predictor, pixels)
    seen = look(predictor.model, view, [layer])
    answer, shares = seen.layers[layer], None
    grid = answer.grid
    height, width = view.pixels.shape[:2]
    if box is not None and seen.objects:
        nearest = min(seen.objects, key=lambda one: np.abs(one.box - np.array(box)).sum())
        shares = seen.of_object(layer, nearest)
    if shares is None:
        if layer.startswith("decoder."):
            raise UserError(f"{layer} is asked by objects only: give the box of one")
        row = min(int(point[1] * height) // grid.stride, grid.height - 1)
        column = min(int(point[0] * width) // grid.stride, grid.width - 1)
        shares = answer.of_place(row, column)
    values = shares.mean(0)
    values = (255 * values / values.max().clamp(min=1e-12)).round().int()
    return Attention(
        layer=layer,
        columns=grid.width,
        rows=grid.height,
        token=(grid.stride / width, grid.stride / height),
        values=values.flatten().tolist(),
    )
