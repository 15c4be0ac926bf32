"""Several differently augmented copies of an image in the same batch."""

from collections.abc import Iterator

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Dataset, Sampler


@DATA_SAMPLERS.register_module(name="vitdet.RepeatedAugmentation")
class RepeatedAugmentation(Sampler):
    """Draws `num_repeats` copies of each image in a row, as DeiT is trained (Hoffer et al., CVPR
    2020, arXiv:1901.09335; Berman et al., arXiv:1902.05509).

    An epoch stays as long as without: it shows a `num_repeats`-th of the images. The copies go to
    different processes where there are several.
    """

    def __init__(self, dataset: Dataset, *, num_repeats: int = 3, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.num_images = len(dataset)
        self.num_repeats = num_repeats
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(self.num_images, generator=generator)
        repeated = order.repeat_interleave(self.num_repeats)
        return iter(repeated[self.rank :: self.world_size][: len(self)].tolist())

    def __len__(self) -> int:
        return self.num_images // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew; called by mmengine's loops."""
        self.epoch = epoch
