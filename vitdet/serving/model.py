"""What a service says about its model."""

import numpy as np
from pydantic import BaseModel, Field

from vitdet.inference import Predictor
from vitdet.serving.attention import layers_to_ask
from vitdet.serving.limits import Limits
from vitdet.visualization.colours import class_colour

_WARM_UP = 64  # pixels of each side


class ModelClass(BaseModel):
    name: str
    colour: str


class Model(BaseModel):
    """What is served, and how much it takes."""

    name: str
    classes: list[ModelClass]
    max_bytes: int
    max_pixels: int
    layers: list[str] = Field(description="that can be asked for attention")


def describe(predictor: Predictor, name: str, limits: Limits) -> Model:
    """What there is to say about a model, which predicts once: the first time is a slow one.

    Classes have the colours of `Prediction.draw`.
    """
    (prediction,) = predictor(np.full((_WARM_UP, _WARM_UP, 3), 128, np.uint8))
    colours = list(map(class_colour, range(len(predictor.class_names))))
    if prediction.is_semantic and predictor.colours:
        colours = predictor.colours
    classes = [
        ModelClass(name=class_name, colour="#{:02x}{:02x}{:02x}".format(*colour))
        for class_name, colour in zip(predictor.class_names, colours, strict=True)
    ]
    return Model(
        name=name,
        classes=classes,
        max_bytes=limits.max_bytes,
        max_pixels=limits.max_pixels,
        layers=layers_to_ask(predictor),
    )
