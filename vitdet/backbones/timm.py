"""Any model of timm that gives features, by its name (an optional extra: `vitdet[timm]`)."""

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from vitdet.backbones.backbone import Backbone, InitConfig
from vitdet.errors import UserError
from vitdet.layers.feature_map import as_feature_map
from vitdet.registry import MODELS

# How families of timm are told to take images of any size; a model knows one of them or none.
_ANY_SIZE: tuple[dict[str, bool], ...] = (
    {"dynamic_img_size": True},
    {"strict_img_size": False},
    {},
)
_WINDOWS = (1, 7, 8)  # of models whose maps must divide into windows, such as MaxViT


@MODELS.register_module()
class TimmBackbone(Backbone):
    """Feature maps of a model of timm: `TimmBackbone("resnet50")`, `TimmBackbone("convnext_tiny")`.

    Images are padded at the bottom and right where the model needs whole patches or windows, and
    the maps are cropped again; a model that works at one size only refuses others. Which of these
    is the case is found out by running it once on the meta device. Maps leave without the norm and
    projection that some classifiers of timm apply after them.

    Args:
        name: as timm knows it, with or without a tag: "resnet50.a1_in1k".
        pretrained: download timm's own weights. Local files go into `init_cfg`.
        out_indices: levels to return, counted as timm's `feature_info` does; by default the last
            four with strides from 4 to 32.
        frozen_stages: -1 trains everything, 0 freezes what comes before stride 4, k also the first
            k levels from there on.
        with_checkpoint: recompute activations in the backward pass to save memory.
        drop_path_rate: rate of stochastic depth, for models that have it.
        img_size: for models that are built for one size, another one, (height, width) in pixels.
        norm_eval: keep batch norms at their stored statistics, as detectors on few images do.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes files of timm.
    """

    def __init__(
        self,
        name: str,
        *,
        pretrained: bool = False,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        drop_path_rate: float = 0.0,
        img_size: int | tuple[int, int] | None = None,
        norm_eval: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        self.name = name
        options: dict[str, Any] = {}
        if drop_path_rate:
            options["drop_path_rate"] = drop_path_rate
        if img_size is not None:
            options["img_size"] = img_size
        with torch.device("meta"):
            draft, any_size = _create_any_size(name, options)
        levels = draft.feature_info.info
        indices = _check_levels(name, levels, out_indices)
        options |= {**any_size, "out_indices": indices}
        with torch.device("meta"):
            draft = _create(name, options)
        is_real = torch.get_default_device().type != "meta"
        self.net = _create(name, options | {"pretrained": pretrained and is_real})

        self.out_channels = tuple(levels[index]["num_chs"] for index in indices)
        self.strides = tuple(levels[index]["reduction"] for index in indices)
        self.num_features = self.out_channels[-1]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self._is_channels_last = "NHWC" in str(getattr(self.net, "output_fmt", ""))
        self._divisor = _needed_divisor(draft, self.strides, self._is_channels_last)
        self._only_size = tuple(draft.pretrained_cfg["input_size"][1:])
        if img_size is not None:
            self._only_size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        self._frozen = self._find_frozen(levels)
        if with_checkpoint:
            self._checkpoint_activations()
        self.freeze()

    def init_weights(self) -> None:
        """Keep timm's initialization or its pretrained weights, then do as `init_cfg` says."""
        BaseModule.init_weights(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W).

        Returns:
            One map (B, C_l, ceil(H / stride_l), ceil(W / stride_l)) per level.

        Raises:
            UserError: the model works at another size only.
        """
        height, width = images.shape[-2:]
        maps = []
        for feature_map, stride in zip(self.net(self._fit(images)), self.strides, strict=True):
            if self._is_channels_last:
                feature_map = as_feature_map(feature_map)
            maps.append(feature_map[..., : -(-height // stride), : -(-width // stride)])
        return tuple(maps)

    def forward_tokens(self, images: Tensor) -> Tensor:
        """Map images: (B, 3, H, W) to the pixels of the last map, (B, N, num_features)."""
        return self(images)[-1].flatten(2).transpose(1, 2)

    def freeze(self) -> None:
        for module in self._frozen:
            module.training = False
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        if self.norm_eval:
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _fit(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if self._divisor is None:
            if (height, width) != self._only_size:
                raise UserError(
                    f"timm's {self.name} works on images of {_by(self._only_size)} only, not "
                    f"{_by((height, width))}; build it with img_size={(height, width)} if it can "
                    "be, or resize the images"
                )
            return images
        bottom, right = -height % self._divisor, -width % self._divisor
        return F.pad(images, (0, right, 0, bottom)) if bottom or right else images

    def _find_frozen(self, levels: Sequence[dict[str, Any]]) -> list[nn.Module]:
        """Modules up to the end of the last frozen level, in the order timm registers them."""
        if self.frozen_stages < 0:
            return []
        ends = [level["module"] for level in levels if level["reduction"] >= 4]
        if self.frozen_stages > len(ends):
            raise UserError(
                f"TimmBackbone: frozen_stages={self.frozen_stages}, but {self.name} has "
                f"{len(ends)} levels from stride 4 on"
            )
        names, modules = zip(*self.net.named_modules(), strict=True)
        end = flat_name(ends[max(self.frozen_stages - 1, 0)])
        inside = [
            index
            for index, name in enumerate(map(flat_name, names))
            if name == end or name.startswith(f"{end}_")
        ]
        return list(modules[: inside[-1] + 1] if self.frozen_stages else modules[: inside[0]])

    def _checkpoint_activations(self) -> None:
        for module in (self.net, getattr(self.net, "model", None)):
            if hasattr(module, "set_grad_checkpointing"):
                module.set_grad_checkpointing(True)
                return
        raise UserError(f"timm's {self.name} cannot recompute activations; drop with_checkpoint")


def flat_name(name: str) -> str:
    """A name by which modules and weights are the same with and without timm's feature wrappers.

    These hold `layers.0` as `layers_0`, or the whole model as `model`.
    """
    return name.removeprefix("model.").replace(".", "_")


def published_keys(name: str) -> set[str]:
    """Names of all weights of timm's classifier `name`, and of buffers it saves."""
    with torch.device("meta"):
        return set(_timm().create_model(name).state_dict())


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise UserError(
            "TimmBackbone needs timm, which is not installed: pip install 'vitdet[timm]'"
        ) from error
    return timm


def _create_any_size(name: str, options: dict[str, Any]) -> tuple[nn.Module, dict[str, bool]]:
    """The model, and the option with which it takes images of any size, if it has one."""
    timm = _timm()
    if "/" not in name and not timm.is_model(name.split(".")[0]):
        near = difflib.get_close_matches(name, timm.list_models(), cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UserError(f"timm {timm.__version__} has no model {name!r}{hint}")
    for any_size in _ANY_SIZE:
        try:
            return _create(name, options | any_size), any_size
        except UserError as error:
            if not any(option in str(error) for option in any_size):
                raise
    raise AssertionError("the last attempt has no option to be refused")


def _create(name: str, options: dict[str, Any]) -> nn.Module:
    try:
        return _timm().create_model(name, features_only=True, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise UserError(f"timm's {name} gives no features: {error}") from error
        raise UserError(f"timm's {name} does not take all of {options}: {error}") from error
    except (RuntimeError, AttributeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"timm's {name} gives no features: {error}") from error


def _check_levels(
    name: str, levels: Sequence[dict[str, Any]], out_indices: Sequence[int] | None
) -> tuple[int, ...]:
    if out_indices is None:
        usual = [i for i, level in enumerate(levels) if 4 <= level["reduction"] <= 32]
        return tuple((usual or range(len(levels)))[-4:])
    if not out_indices or not all(0 <= index < len(levels) for index in out_indices):
        strides = ", ".join(f"{i}: {level['reduction']}" for i, level in enumerate(levels))
        raise UserError(
            f"TimmBackbone: out_indices {tuple(out_indices)} are not levels of {name}; "
            f"there are (with their strides) {strides}"
        )
    return tuple(sorted(out_indices))


def _needed_divisor(net: nn.Module, strides: Sequence[int], is_channels_last: bool) -> int | None:
    """What both sides of an image must be multiples of; None if no two sizes work.

    net: on the meta device, where running it takes milliseconds whatever its size.
    """
    net.eval()
    whole = math.lcm(*strides)
    if _gives_whole_maps(net, (3 * whole + 1, 4 * whole + 3), strides, is_channels_last):
        return 1
    for divisor in (whole * window for window in _WINDOWS):
        if _gives_whole_maps(net, (divisor, 2 * divisor), strides, is_channels_last):
            return divisor
    return None


def _gives_whole_maps(
    net: nn.Module, size: tuple[int, int], strides: Sequence[int], is_channels_last: bool
) -> bool:
    """Whether the model runs at this size and gives ceil(size / stride) at each level."""
    try:
        with torch.no_grad():
            maps = net(torch.empty(1, 3, *size, device="meta"))
    except (AssertionError, RuntimeError, ValueError):  # how models refuse a size
        return False
    sides = slice(1, 3) if is_channels_last else slice(2, 4)
    wanted = [tuple(-(-side // stride) for side in size) for stride in strides]
    return [tuple(feature_map.shape[sides]) for feature_map in maps] == wanted


def _by(size: Iterable[int]) -> str:
    return "x".join(map(str, size))
