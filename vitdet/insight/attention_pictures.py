"""`visualize attention`: what a model attends to in images, as pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from torch import Tensor, nn

from vitdet.datasets.image_sources import images_of
from vitdet.errors import UserError
from vitdet.insight.attention_capture import attention_layers
from vitdet.insight.click_page import clickable_section
from vitdet.insight.heat import draw_heat, mark_box, mark_point, resized, to_pixels
from vitdet.insight.layer_attention import LayerAttention
from vitdet.insight.look import Layer, Look, SeenObject, choose_layers, look
from vitdet.insight.model_view import View, load_predictor, view_of
from vitdet.insight.rollout import rollout
from vitdet.insight.sheet import Group, Panel, html_section, write_page, write_sheet
from vitdet.insight.token_layout import Grid
from vitdet.visualization.colours import class_colour

_NOTE = (
    "Black is no attention, white the most of that picture; a square is a token. What a token "
    "takes of padding, of class tokens or of other objects is not shown."
)
_CENTRE = (0.5, 0.5)


class Wish(NamedTuple):
    """What to draw.

    Attributes:
        point: (x, y) as shares of the image: the place that asks; by default the middle, and for
            rollouts the class token or the mean of all tokens.
        layers: as for `choose_layers`.
        heads: "mean", "all", or numbers.
        with_rollout: whether to follow attention over all layers of the backbone.
        num_objects: how many found objects to show at most, the best.
        score_threshold: of these.
        side: pixels of a picture's longer side.
    """

    point: tuple[float, float] | None = None
    layers: Sequence[str] = ()
    heads: Sequence[str] = ("mean",)
    with_rollout: bool = False
    num_objects: int = 5
    score_threshold: float = 0.3
    side: int = 320


def draw_attention(
    checkpoint: str | Path,
    images: Sequence[str | Path],
    wish: Wish,
    *,
    out: str | Path | None = "attention.png",
    html: str | Path | None = None,
    columns: int = 4,
    device: str | None = None,
) -> list[Path]:
    """Draw what a trained model attends to, as PNG `out`, as a page `html` to click on, or both.

    Returns the files. Raises UserError for what is no checkpoint, image, layer or head, and where
    the model has no attention.
    """
    if wish.point is not None and not all(0 <= share <= 1 for share in wish.point):
        raise UserError(
            f"--point {wish.point[0]:g} {wish.point[1]:g}: both are shares of the image's sides, "
            "0 0 is the top left and 1 1 the bottom right"
        )
    predictor = load_predictor(checkpoint, device)
    names = choose_layers(predictor.model, wish.layers)
    rolled = _rolled_layers(predictor.model) if wish.with_rollout else []
    groups, parts = [], []
    for image in images_of(list(images)):
        view = view_of(predictor, image.image)
        seen = look(predictor.model, view, names, averaged=rolled)
        panels = list(_panels(view, seen, wish, names, rolled, predictor.class_names))
        groups.append(Group(image.stem, panels))
        if html is not None:
            layers = {_short(name): seen.layers[name] for name in names}
            parts += [clickable_section(view.pixels, layers, title=image.stem)]
            parts += [html_section(groups[-1])]
    title = f"Attention of {Path(checkpoint).name}"
    written = write_sheet(groups, title=title, note=_NOTE, columns=columns, out=out, html=None)
    if html is not None:
        written.append(write_page(html, title=title, note=_NOTE, parts=parts))
    return written


def _rolled_layers(model: nn.Module) -> list[str]:
    """All attention layers of the backbone but TNT's within patches."""
    names = [name for name in attention_layers(model) if not name.endswith(".inner")]
    if not names:
        raise UserError("--rollout: there are no attention layers to follow; leave it out")
    return names


def _panels(
    view: View,
    seen: Look,
    wish: Wish,
    names: Sequence[str],
    rolled: Sequence[str],
    class_names: Sequence[str],
) -> Iterator[Panel]:
    """The image, what its objects look at, what a place looks at, and rollouts."""
    objects = [one for one in seen.objects if one.score >= wish.score_threshold]
    objects = objects[: wish.num_objects]
    point = wish.point or _CENTRE
    picture = resized(view.pixels, wish.side)
    mark_point(picture, point)
    for one in objects:
        mark_box(picture, one.box, class_colour(one.label))
    count = f"{len(objects)} object{'s' * (len(objects) > 1)}"
    yield Panel(picture, count if objects else "image, the ring asks")
    layers = [seen.layers[name] for name in names]
    for one in objects:
        title = f"{class_names[one.label]} {one.score:.2f}"
        for layer in layers:
            shares = seen.of_object(layer.name, one)
            if shares is not None:
                yield from _of_heads(view, layer, shares, wish, found=one, title=title)
    for layer in layers:
        if _asks_at_places(layer):
            row, column = _place(view, layer.grid, point)
            yield from _of_heads(view, layer, layer.of_place(row, column), wish, point=point)
    if rolled:
        yield from _rollouts(
            view, [seen.layers[name] for name in rolled], objects, wish, class_names
        )


def _asks_at_places(layer: Layer) -> bool:
    """Whether the tokens of the map are queries of the layer: not so in DETR's decoder, or in the
    last block of YOLOS.
    """
    if not isinstance(layer, LayerAttention):
        return True
    if layer.name.startswith("decoder."):
        return False
    return bool((layer.layout.queries == layer.grid.first).any())


def _of_heads(
    view: View,
    layer: Layer,
    shares: Tensor,
    wish: Wish,
    *,
    point: tuple[float, float] | None = None,
    found: SeenObject | None = None,
    title: str = "",
) -> Iterator[Panel]:
    """One picture for each head, or one of their mean, of shares (num_heads, H, W)."""
    name = _short(layer.name)
    if "mean" in wish.heads:
        number = layer.num_heads
        chosen = {f"mean of {number} {layer.parts}" if number > 1 else "": shares.mean(0)}
    elif "all" in wish.heads:
        chosen = dict(zip(layer.head_names, shares, strict=True))
    else:
        chosen = {layer.head_names[i]: shares[i] for i in _numbers(wish.heads, layer)}
    for head, one in chosen.items():
        picture = _heat(view, one, layer.grid, wish.side)
        if point is not None:
            mark_point(picture, point)
        if found is not None:
            mark_box(picture, found.box, class_colour(found.label))
        yield Panel(picture, ", ".join(part for part in (title, name, head) if part))


def _numbers(heads: Sequence[str], layer: Layer) -> list[int]:
    for head in heads:
        if not head.isdigit() or int(head) >= layer.num_heads:
            raise UserError(
                f"--head {head}: {_short(layer.name)} has heads 0 to {layer.num_heads - 1}, "
                "or take 'mean' or 'all'"
            )
    return [int(head) for head in heads]


def _rollouts(
    view: View,
    layers: Sequence[LayerAttention],
    objects: Sequence[SeenObject],
    wish: Wish,
    class_names: Sequence[str],
) -> Iterator[Panel]:
    """What the tokens of the last layer have been made of."""
    first, last = layers[0], layers[-1]
    if last.num_behind:
        for one in objects:
            token = last.grid.first + last.grid.num_places + one.query
            picture = _heat(view, rollout(layers, token), first.grid, wish.side)
            mark_box(picture, one.box, class_colour(one.label))
            title = f"{class_names[one.label]} {one.score:.2f}"
            yield Panel(picture, f"{title}, rollout over {len(layers)} layers")
        return
    token, of_what = None, "the class token" if last.grid.first else "the mean of all tokens"
    if wish.point is not None:
        row, column = _place(view, last.grid, wish.point)
        token, of_what = last.grid.first + row * last.grid.width + column, "the ring"
    picture = _heat(view, rollout(layers, token), first.grid, wish.side)
    if wish.point is not None:
        mark_point(picture, wish.point)
    yield Panel(picture, f"rollout over {len(layers)} layers, of {of_what}")


def _heat(view: View, shares: Tensor, grid: Grid, side: int) -> Image.Image:
    return draw_heat(view.pixels, to_pixels(shares, grid, view.pixels.shape[:2]), side=side)


def _place(view: View, grid: Grid, point: tuple[float, float]) -> tuple[int, int]:
    """(row, column) of the token at a point, (x, y) as shares of the image."""
    height, width = view.pixels.shape[:2]
    row = min(int(point[1] * height), height - 1) // grid.stride
    column = min(int(point[0] * width), width - 1) // grid.stride
    return min(row, grid.height - 1), min(column, grid.width - 1)


def _short(name: str) -> str:
    return name.removeprefix("backbone.")
