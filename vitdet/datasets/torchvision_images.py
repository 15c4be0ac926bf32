"""Small images that torchvision keeps in memory: CIFAR-10, CIFAR-100, MNIST and the like."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torchvision.datasets
from mmengine.dataset import BaseDataset

from vitdet.datasets.coco_files import some
from vitdet.errors import UserError
from vitdet.registry import DATASETS

KINDS = ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST")


@DATASETS.register_module()
class TorchvisionImages(BaseDataset):
    """One of torchvision's data sets of class `kind`, stored under `data_root`.

    What `data_root` lacks is downloaded before a training. Items have `gt_label` and `img_id`, and
    the pixels as `LoadImage` would read them from a file. `train` picks the split; the other
    arguments are those of mmengine's `BaseDataset`.
    """

    METAINFO: dict = {}

    def __init__(
        self,
        kind: str,
        data_root: str,
        *,
        train: bool = True,
        metainfo: dict[str, Any] | None = None,
        pipeline: Sequence[dict[str, Any] | Callable] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
    ) -> None:
        self._kind, self._train = kind, train
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            indices=indices,
            serialize_data=False,
            pipeline=pipeline,
            test_mode=test_mode,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        self._images = _open(self._kind, self.data_root, train=self._train)
        self._metainfo.setdefault("classes", tuple(map(str, self._images.classes)))
        return [{"img_id": i, "img_path": None} for i in range(len(self._images))]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        item = super().get_data_info(idx)
        image, item["gt_label"] = self._images[item["img_id"]]
        return {**item, "img": np.asarray(image.convert("RGB"))[..., ::-1]}

    @staticmethod
    def read_classes(node: Mapping[str, Any]) -> list[str]:
        """Class names of the data that a config node describes."""
        return list(map(str, _open(node["kind"], node["data_root"], download=True).classes))

    @staticmethod
    def check(node: Mapping[str, Any], classes: Sequence[str]) -> None:
        """Look whether the classes are those of the data, whose labels cannot be renumbered.

        Raises:
            UserError: they are others.
        """
        there = TorchvisionImages.read_classes(node)
        if list(classes) != there:
            raise UserError(f"{node['kind']} has the classes {some(there)}, not {some(classes)}")


def _open(kind: str, root: str | Path, *, train: bool = True, download: bool = False) -> Any:
    if kind not in KINDS:
        raise UserError(f"TorchvisionImages: kind {kind!r} is none of {', '.join(KINDS)}")
    try:
        return getattr(torchvision.datasets, kind)(root, train=train, download=download)
    except (RuntimeError, OSError) as error:  # not there, damaged, or no network
        raise UserError(f"{kind} is not in {root} and could not be downloaded: {error}") from error
