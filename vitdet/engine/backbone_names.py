"""What the names of `--backbone` stand for: a class, a size and its published weights."""

import difflib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vitdet import backbones
from vitdet.errors import UserError

_SWIN = "https://github.com/SwinTransformer/storage/releases/download"
_PVT = "https://github.com/whai362/PVT/releases/download/v2"
_DEIT = "https://dl.fbaipublicfiles.com/deit"
_VIT = "https://storage.googleapis.com/vit_models/augreg"
_SEQUENCER = "https://github.com/okojoalg/sequencer/releases/download/weights"
_TNT = "https://github.com/huawei-noah/Efficient-AI-Backbones/releases/download/tnt"
_FOCAL = "https://projects4jw.blob.core.windows.net/model/focal-transformer/imagenet1k"


class NamedFamily(NamedTuple):
    """A family of backbones as `--backbone` names it.

    Attributes:
        cls: class in `vitdet.backbones`.
        default: the size that the name of the family alone means.
        weights: size -> where its authors publish ImageNet weights.
        arguments: of the class, for all sizes.
    """

    cls: str
    default: str
    weights: Mapping[str, str]
    arguments: Mapping[str, Any] = {}


class NamedBackbone(NamedTuple):
    """What one name stands for.

    Attributes:
        cls: class in `vitdet.backbones`.
        arguments: for the class.
        weights: URL of published weights, or None if none is known here.
    """

    cls: str
    arguments: Mapping[str, Any]
    weights: str | None


FAMILIES = {
    "swin": NamedFamily(
        "SwinTransformer",
        "tiny",
        {
            "tiny": f"{_SWIN}/v1.0.0/swin_tiny_patch4_window7_224.pth",
            "small": f"{_SWIN}/v1.0.0/swin_small_patch4_window7_224.pth",
            "base": f"{_SWIN}/v1.0.0/swin_base_patch4_window7_224.pth",
            "large": f"{_SWIN}/v1.0.0/swin_large_patch4_window7_224_22k.pth",
        },
    ),
    "swinv2": NamedFamily(
        "SwinTransformerV2",
        "tiny",
        {
            "tiny": f"{_SWIN}/v2.0.0/swinv2_tiny_patch4_window8_256.pth",
            "small": f"{_SWIN}/v2.0.0/swinv2_small_patch4_window8_256.pth",
            "base": f"{_SWIN}/v2.0.0/swinv2_base_patch4_window8_256.pth",
            "large": f"{_SWIN}/v2.0.0/swinv2_large_patch4_window12_192_22k.pth",
        },
    ),
    "vit": NamedFamily(
        "VisionTransformer",
        "base",
        {
            "tiny": f"{_VIT}/Ti_16-i21k-300ep-lr_0.001-aug_none-wd_0.03-do_0.0-sd_0.0.npz",
            "small": f"{_VIT}/S_16-i21k-300ep-lr_0.001-aug_light1-wd_0.03-do_0.0-sd_0.0.npz",
            "base": f"{_VIT}/B_16-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.0-sd_0.0.npz",
            "large": f"{_VIT}/L_16-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.1-sd_0.1.npz",
        },
    ),
    "deit": NamedFamily(
        "VisionTransformer",
        "small",
        {
            "tiny": f"{_DEIT}/deit_tiny_patch16_224-a1311bcf.pth",
            "small": f"{_DEIT}/deit_small_patch16_224-cd65a155.pth",
            "base": f"{_DEIT}/deit_base_patch16_224-b5f2ef4d.pth",
        },
    ),
    "deit-distilled": NamedFamily(
        "VisionTransformer",
        "small",
        {
            "tiny": f"{_DEIT}/deit_tiny_distilled_patch16_224-b40b3cf7.pth",
            "small": f"{_DEIT}/deit_small_distilled_patch16_224-649709d9.pth",
            "base": f"{_DEIT}/deit_base_distilled_patch16_224-df68dfff.pth",
        },
        {"with_distillation_token": True},
    ),
    "pvt": NamedFamily(
        "PyramidVisionTransformer",
        "tiny",
        {size: f"{_PVT}/pvt_{size}.pth" for size in ("tiny", "small", "medium", "large")},
    ),
    "pvtv2": NamedFamily(
        "PyramidVisionTransformerV2",
        "b2",
        {f"b{size}": f"{_PVT}/pvt_v2_b{size}.pth" for size in range(6)}
        | {"b2_linear": f"{_PVT}/pvt_v2_b2_li.pth"},
    ),
    "sequencer": NamedFamily(
        "Sequencer2D",
        "small",
        {size: f"{_SEQUENCER}/sequencer2d_{size[0]}.pth" for size in ("small", "medium", "large")},
    ),
    "tnt": NamedFamily(
        "TNT",
        "small",
        {"small": f"{_TNT}/tnt_s_81.5.pth.tar", "base": f"{_TNT}/tnt_b_82.9.pth.tar"},
    ),
    "focal": NamedFamily(
        "FocalTransformer",
        "tiny",
        {size: f"{_FOCAL}/focal-{size}-is224-ws7.pth" for size in ("tiny", "small", "base")},
    ),
}
TIMM = "timm:"


def backbone_names() -> list[str]:
    """Every name that `resolve_backbone` takes, but for timm's."""
    return [
        name
        for prefix, family in FAMILIES.items()
        if hasattr(backbones, family.cls)
        for name in (prefix, *(f"{prefix}-{size}".replace("_", "-") for size in _sizes(family)))
    ]


def resolve_backbone(name: str) -> NamedBackbone:
    """What `name` stands for: a family (`swin`), family and size (`swin-small`, `swin-s`,
    `pvtv2-b2-linear`), or a model of timm's (`timm:resnet50`).

    Raises:
        UserError: there is no such family or size; the nearest names are offered.
    """
    if name.startswith(TIMM) and hasattr(backbones, "TimmBackbone"):
        model_name = next(iter(inspect.signature(backbones.TimmBackbone).parameters))
        return NamedBackbone("TimmBackbone", {model_name: name.removeprefix(TIMM)}, None)
    for prefix, size in _splits(name.lower().replace("_", "-")):
        family = FAMILIES.get(prefix)
        if family is None or not hasattr(backbones, family.cls):
            continue
        arch = _match_size(size, _sizes(family)) if size else family.default
        if arch is not None:
            weights = {_letter(known): url for known, url in family.weights.items()}
            return NamedBackbone(
                family.cls, {"arch": arch, **family.arguments}, weights.get(_letter(arch))
            )
    names = backbone_names()
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(names)}, {TIMM}NAME"
    raise UserError(f"backbone {name!r} is unknown; {hint}")


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """(family, size) for every dash that may part them, the longest family first."""
    parts = name.split("-")
    for count in range(len(parts), 0, -1):
        yield "-".join(parts[:count]), "-".join(parts[count:])


def size_arguments(cls: str) -> tuple[str, ...]:
    """Arguments of a class in `vitdet.backbones` that its published sizes give values."""
    module = importlib.import_module(getattr(backbones, cls).__module__)
    archs = getattr(module, "ARCHS", {})
    return next(iter(archs.values()))._fields if archs else ()


def _sizes(family: NamedFamily) -> list[str]:
    """The sizes that the class itself knows."""
    module = importlib.import_module(getattr(backbones, family.cls).__module__)
    return list(module.ARCHS)


def _match_size(size: str, archs: list[str]) -> str | None:
    """The arch that `size` spells, perhaps by its beginning only: "s" or "small"."""
    spelt = {arch.replace("_", "-"): arch for arch in archs}
    if size in spelt:
        return spelt[size]
    beginning = [arch for dashed, arch in spelt.items() if dashed.startswith(size)]
    return beginning[0] if len(beginning) == 1 else None


def _letter(arch: str) -> str:
    """Sizes in words by their first letter: some classes call "s" what others call "small"."""
    return arch if any(character.isdigit() for character in arch) else arch[:1]
