"""What an exported file says about itself: a json text among its metadata."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

from vitdet.errors import UserError

KEY = "vitdet"
Task = Literal["detection", "segmentation"]


@dataclass(frozen=True)
class ModelCard:
    """How to prepare images for an exported model, and what its outputs mean.

    Attributes:
        task: "detection": `boxes`: (B, N, 4) xyxy pixels of the input, `scores`: (B, N), `labels`:
            (B, N), of some `masks`: (B, N, h, w), probabilities in each box; what has a score of 0
            is none. "segmentation": `classes`: (B, H, W).
        class_names: name of each class.
        scale: longer and shorter side that images are resized into, proportions kept.
        size: (H, W) of the input, which images are padded to; None where others will do.
        multiple: of what the sides of the input are, where it has no fixed size.
        fill: RGB of the padding.
        colours: of each class, where classes of pixels are drawn.
        thing_names: in panoptic segmentation, what is counted.
    """

    task: Task
    class_names: tuple[str, ...]
    scale: tuple[int, int]
    size: tuple[int, int] | None
    fill: tuple[int, int, int]
    colours: tuple[tuple[int, int, int], ...] = ()
    thing_names: tuple[str, ...] = ()
    multiple: int = 1

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | None, *, source: str) -> "ModelCard":
        """Raises UserError if the text is not what `to_json` writes."""
        try:
            values: dict[str, Any] = json.loads(text)
            values = {key: _as_tuple(value) for key, value in values.items()}
            card = cls(**values)
            if not card.class_names or len(card.scale) != 2:
                raise ValueError("no classes or no size")
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{source}: says nothing about its classes and input ({str(error)[:100]}); export "
                "it with `vitdet export`"
            ) from error
        return card


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
