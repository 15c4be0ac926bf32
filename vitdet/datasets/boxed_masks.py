"""Masks of objects of which only the pixels within each object's box are held."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.image import rescale_size
from mmdet.structures.bbox import HorizontalBoxes, get_box_type
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as coco_mask

from vitdet.datasets.run_lengths import decode_counts


class BoxedMasks(BitmapMasks):
    """mmdet's bitmaps, pixel for pixel, as a crop and its corners for each object.

    An object covers some hundredths of its image, so scaling, flipping, cropping and handing over
    to another process take that share of the time. The whole bitmaps (N, height, width) are laid
    out when `masks` is first asked for, which is what all of mmdet's other methods do.
    """

    @classmethod
    def from_crops(
        cls, crops: Sequence[np.ndarray], corners: np.ndarray, size: tuple[int, int]
    ) -> "BoxedMasks":
        """Of (h, w) uint8 crops, whose left upper pixels lie at `corners`, (N, 2) x and y."""
        masks = cls.__new__(cls)
        masks.height, masks.width = map(int, size)
        masks.crops, masks.corners, masks._whole = list(crops), corners, None
        return masks

    @classmethod
    def from_codes(cls, codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> "BoxedMasks":
        """Of COCO's compressed run lengths.

        Raises ValueError where a code is none, or of another size.
        """
        if any(tuple(code["size"]) != tuple(size) for code in codes):
            sizes = sorted({tuple(code["size"]) for code in codes} - {tuple(size)})
            raise ValueError(f"masks of {sizes[0]} in an image of {tuple(size)} rows and columns")
        if not codes:
            return cls.from_crops([], np.zeros((0, 2), int), size)
        counts = [code["counts"] for code in codes]
        counts = [text.encode() if isinstance(text, str) else text for text in counts]
        runs, offsets, are_valid = decode_counts(counts)
        totals = [part.sum() for part in np.split(runs, offsets[1:-1])]
        if not are_valid.all() or (runs < 0).any() or set(totals) - {size[0] * size[1]}:
            raise ValueError("the run lengths of a mask do not fit its size")
        boxes = coco_mask.toBbox(list(codes)).astype(int)  # zeros where there is no pixel
        crops = [
            _crop(runs[begin:end], box, size[0])
            for begin, end, box in zip(offsets[:-1], offsets[1:], boxes.tolist(), strict=True)
        ]
        return cls.from_crops(crops, boxes[:, :2], size)

    @property
    def masks(self) -> np.ndarray:
        """(N, height, width) uint8."""
        if self._whole is None:
            self._whole = np.zeros((len(self.crops), self.height, self.width), np.uint8)
            for whole, crop, (x, y) in zip(
                self._whole, self.crops, self.corners.tolist(), strict=True
            ):
                whole[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        return self._whole

    @masks.setter
    def masks(self, masks: np.ndarray) -> None:
        self._whole = masks
        self.crops, self.corners = list(masks), np.zeros((len(masks), 2), int)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_whole": None}

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: Any) -> "BoxedMasks":
        chosen = np.atleast_1d(np.arange(len(self))[index])
        return self._with([self.crops[k] for k in chosen], self.corners[chosen])

    def rescale(self, scale: Any, interpolation: str = "nearest") -> BitmapMasks:
        width, height = rescale_size((self.width, self.height), scale)
        return self.resize((height, width), interpolation)

    def resize(self, out_shape: tuple[int, int], interpolation: str = "nearest") -> BitmapMasks:
        if interpolation != "nearest":
            return super().resize(out_shape, interpolation)
        size = tuple(map(int, out_shape))
        rows, columns = _sources(self.height, size[0]), _sources(self.width, size[1])
        crops, corners = [], np.zeros_like(self.corners)
        for k, (crop, (x, y)) in enumerate(zip(self.crops, self.corners.tolist(), strict=True)):
            top, bottom = np.searchsorted(rows, (y, y + crop.shape[0]))
            left, right = np.searchsorted(columns, (x, x + crop.shape[1]))
            corners[k] = left, top
            narrow = crop.take(columns[left:right] - x, axis=1)
            crops.append(narrow.take(rows[top:bottom] - y, axis=0))
        return self._with(crops, corners, size)

    def flip(self, flip_direction: str = "horizontal") -> BitmapMasks:
        assert flip_direction in ("horizontal", "vertical", "diagonal")
        crops, corners = self.crops, self.corners.copy()
        if flip_direction != "vertical":
            corners[:, 0] = [
                self.width - x - crop.shape[1]
                for x, crop in zip(corners[:, 0].tolist(), crops, strict=True)
            ]
            crops = [crop[:, ::-1] for crop in crops]
        if flip_direction != "horizontal":
            corners[:, 1] = [
                self.height - y - crop.shape[0]
                for y, crop in zip(corners[:, 1].tolist(), crops, strict=True)
            ]
            crops = [crop[::-1] for crop in crops]
        return self._with(crops, corners)

    def crop(self, bbox: np.ndarray) -> BitmapMasks:
        limits = (self.width, self.height) * 2
        x1, y1, x2, y2 = (int(min(max(v, 0), end)) for v, end in zip(bbox, limits, strict=True))
        crops, corners = [], np.zeros_like(self.corners)
        for k, (crop, (x, y)) in enumerate(zip(self.crops, self.corners.tolist(), strict=True)):
            left, top = max(x, x1), max(y, y1)
            crops.append(crop[top - y : max(y2 - y, 0), left - x : max(x2 - x, 0)])
            corners[k] = min(left, x2) - x1, min(top, y2) - y1
        return self._with(crops, corners, (max(y2 - y1, 1), max(x2 - x1, 1)))

    def pad(self, out_shape: tuple[int, int], pad_val: int = 0) -> BitmapMasks:
        if pad_val:
            return super().pad(out_shape, pad_val)
        return self._with(self.crops, self.corners, out_shape)

    @property
    def areas(self) -> np.ndarray:
        return np.array([crop.sum() for crop in self.crops], dtype=np.uint64)

    def get_bboxes(self, dst_type: Any = "hbb") -> Any:
        box_type = get_box_type(dst_type)[1] if isinstance(dst_type, str) else dst_type
        if box_type is not HorizontalBoxes:
            return super().get_bboxes(dst_type)
        boxes = np.zeros((len(self), 4), np.float32)
        for k, (crop, corner) in enumerate(zip(self.crops, self.corners, strict=True)):
            columns, rows = np.flatnonzero(crop.any(0)), np.flatnonzero(crop.any(1))
            if len(rows):
                boxes[k] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
                boxes[k] += np.tile(corner, 2)
        return HorizontalBoxes(boxes)

    def _with(
        self,
        crops: Sequence[np.ndarray],
        corners: np.ndarray,
        size: tuple[int, int] | None = None,
    ) -> "BoxedMasks":
        return BoxedMasks.from_crops(crops, corners, size or (self.height, self.width))


def _crop(runs: np.ndarray, box: Sequence[int], height: int) -> np.ndarray:
    """Pixels within `box`, (x, y, width, height), of a mask whose runs go down its columns."""
    x, y, box_width, box_height = box
    if not box_width:
        return np.zeros((0, 0), np.uint8)
    runs = runs.copy()
    runs[0] -= x * height
    if len(runs) % 2:  # the last one is background, too
        runs[-1] -= runs.sum() - box_width * height
    kinds = np.arange(len(runs), dtype=np.uint8) % 2
    columns = np.repeat(kinds, runs).reshape(box_width, height)
    return cv2.transpose(columns[:, y : y + box_height])


def _sources(size: int, new_size: int) -> np.ndarray:
    """The pixel of `size` that OpenCV takes for each of `new_size`: asked of OpenCV itself."""
    return cv2.resize(
        np.arange(size, dtype=np.int32)[None], (new_size, 1), interpolation=cv2.INTER_NEAREST
    )[0]


def codes_of(segmentations: Sequence[Any], height: int, width: int) -> list[dict[str, Any]]:
    """Run-length codes of objects' polygons (lists of arrays), or codes, as mmdet makes them."""
    parts = [part for one in segmentations if isinstance(one, list) for part in one]
    codes = iter(coco_mask.frPyObjects(parts, height, width) if parts else [])
    found = []
    for one in segmentations:
        if isinstance(one, list):
            own = [next(codes) for _ in one]
            found.append(own[0] if len(own) == 1 else coco_mask.merge(own))
        elif isinstance(one["counts"], list):
            found.append(coco_mask.frPyObjects(one, height, width))
        else:
            found.append(one)
    return found
