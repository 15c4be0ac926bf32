"""Split a data set that comes in one piece into training and validation images."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np


def split_images(
    labels: Sequence[Iterable[Hashable]],
    *,
    groups: Sequence[Hashable] | None = None,
    val_share: float = 0.2,
    seed: int = 0,
) -> tuple[list[int], list[int]]:
    """Split images so that each class has `val_share` of its instances in val, as far as can be.

    Classes are dealt with from the rarest on, since the frequent ones leave the most choice
    (iterative stratification, Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10). A class of
    a single image is trained on. The same labels, in the same order, give the same split.

    Args:
        labels: the classes of the instances of each image; empty for an image without any.
        groups: a name for each image; those of one name, such as copies of a picture, stay
            together, and are dealt as one, unless all have one name. By default each is alone.

    Returns:
        The numbers of the training and of the validation images, ascending; neither is empty where
        there are two images or more.
    """
    if groups is None or len(set(groups)) == 1:
        groups = range(len(labels))
    members: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    together = list(members.values())
    parts = _deal(
        [Counter(c for k in group for c in labels[k]) for group in together], val_share, seed
    )
    train, val = (sorted(k for group in part for k in together[group]) for part in parts)
    return train, val


def _deal(
    counts: Sequence[Counter[Hashable]], val_share: float, seed: int
) -> tuple[set[int], set[int]]:
    """Places of those to train and to evaluate on; each has so many instances of classes."""
    order = np.random.default_rng(seed).permutation(len(counts)).tolist()
    num_val = max(round(val_share * len(counts)), 1)
    images_of = {name: [] for name in sorted(set().union(*counts), key=str)}
    for image in order:
        for name in counts[image]:
            images_of[name].append(image)
    wanted = {
        name: val_share * sum(counts[image][name] for image in images)
        for name, images in images_of.items()
    }
    val: set[int] = set()
    train: set[int] = set()
    for name, images in sorted(images_of.items(), key=lambda item: len(item[1])):
        for image in images:
            if image in val or image in train:
                continue
            # Half an image's instances too many are nearer than all of them too few.
            is_wanted = len(val) < num_val and wanted[name] >= counts[image][name] / 2
            if is_wanted and any(other not in val for other in images if other != image):
                val.add(image)
                for other, count in counts[image].items():
                    wanted[other] -= count
            else:
                train.add(image)
    for image in order:
        if not counts[image]:
            (val if len(val) < num_val else train).add(image)
    if not val and len(train) > 1:
        val.add(train.pop())
    return train, val
