"""A synthetic batch for a model of mmdet: images, boxes, masks, maps, and the kind it is packed in.

Every sample carries all that any pipeline of the zoo packs, and a model reads what it needs; but
proposals only where the model has no head of its own for them, since it would not use that head.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample, ReIDDataSample, TrackDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

from vitdet.zoo.nodes import nodes_of

_CAPTION = "cat . dog ."
_BOXES = ((0.05, 0.10, 0.55, 0.70), (0.40, 0.30, 0.95, 0.90), (0.20, 0.55, 0.60, 0.95))
_LABELS_OF_STUFF = 255
_FRAMES, _IDENTITIES = 2, 2


def detection_batch(config: Mapping[str, Any], side: int, *, training: bool) -> dict[str, Any]:
    """What a data loader of this config would hand over, with images of `side` pixels.

    Two samples to train on, and one to predict for, as in all the zoo's configs: some models take
    no more.
    """
    model = config["model"]
    maker = _SampleMaker(config, side)
    kind = str((model.get("data_preprocessor") or {}).get("type"))
    size = 2 if training else 1
    if "ReID" in kind:
        return _pack([maker.identity()])
    if "Track" in kind and not (training and _trains_on_images(model)):
        return _pack(maker.video() for _ in range(size))
    batch = _pack(maker.image() for _ in range(size))
    if "MultiBranch" in kind and training:
        branches = ("sup", "unsup_teacher", "unsup_student")
        parts = {name: _pack(maker.image() for _ in range(size)) for name in branches}
        return {key: {name: part[key] for name, part in parts.items()} for key in batch}
    return batch


def loads_masks(config: Mapping[str, Any]) -> bool:
    """Whether a pipeline of the config reads instance masks: some assigners go by them if so."""
    return any(
        node.get("with_mask", str(node.get("type")).endswith("LoadPanopticAnnotations"))
        for node in nodes_of(config)
    )


def _pack(samples: Any) -> dict[str, list[Any]]:
    images, data_samples = zip(*samples, strict=True)
    return {"inputs": list(images), "data_samples": list(data_samples)}


def _trains_on_images(model: Mapping[str, Any]) -> bool:
    """Whether a tracker's training sees single images."""
    return bool(model["data_preprocessor"].get("use_det_processor"))


class _SampleMaker:
    """Makes samples for one config; each differs from the one before."""

    def __init__(self, config: Mapping[str, Any], side: int) -> None:
        self._side = side
        self._random = np.random.default_rng(0)
        self._num_classes = _num_classes(config["model"])
        self._num_map_classes = _num_map_classes(config["model"], self._num_classes)
        self._takes_proposals = not any("rpn_head" in node for node in nodes_of(config["model"]))
        self._has_masks = loads_masks(config)
        self._map_scale = next(
            (float(node["scale_factor"]) for node in nodes_of(config) if _is_map_rescaling(node)), 1
        )

    def image(self) -> tuple[torch.Tensor, DetDataSample]:
        sample = DetDataSample(metainfo=self._meta())
        boxes = torch.tensor(_BOXES) * self._side
        labels = torch.from_numpy(self._random.choice([0, self._num_classes - 1], len(boxes)))
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(boxes),
            labels=labels,
            instances_ids=torch.arange(len(boxes)),
        )
        sample.ignored_instances = InstanceData(
            bboxes=HorizontalBoxes(torch.zeros(0, 4)),
            labels=torch.zeros(0, dtype=torch.int64),
        )
        if self._has_masks:
            masks = _ellipses(self._side)
            sample.gt_instances.masks = BitmapMasks(masks, self._side, self._side)
            sample.ignored_instances.masks = BitmapMasks([], self._side, self._side)
        if self._takes_proposals:
            many = boxes.repeat(20, 1)
            sample.proposals = InstanceData(bboxes=many, scores=torch.ones(len(many)))
        sample.gt_sem_seg = PixelData(sem_seg=self._map())
        return self._pixels(3, self._side, self._side), sample

    def video(self) -> tuple[torch.Tensor, TrackDataSample]:
        images, samples = zip(*(self.image() for _ in range(_FRAMES)), strict=True)
        for number, sample in enumerate(samples):
            sample.set_metainfo(dict(frame_id=number, video_id=0, video_length=_FRAMES))
            sample.gt_instances.bboxes = sample.gt_instances.bboxes.tensor
        video = TrackDataSample(
            video_data_samples=list(samples),
            metainfo=dict(key_frames_inds=[0], ref_frames_inds=[1], video_length=_FRAMES),
        )
        return torch.stack(images), video

    def identity(self) -> tuple[torch.Tensor, ReIDDataSample]:
        """Pictures of persons, (pictures, 3, 256, 128), two of each."""
        sample = ReIDDataSample(metainfo=dict(img_shape=(256, 128), ori_shape=(256, 128)))
        sample.set_gt_label(np.repeat(np.arange(_IDENTITIES), 2))
        return self._pixels(2 * _IDENTITIES, 3, 256, 128), sample

    def _meta(self) -> dict[str, Any]:
        size = (self._side, self._side)
        return dict(
            img_id=0,
            img_path="synthetic.png",
            img_shape=size,
            ori_shape=size,
            scale_factor=(1.0, 1.0),
            flip=False,
            flip_direction=None,
            border=np.array([0, self._side, 0, self._side]),
            homography_matrix=np.eye(3, dtype=np.float32),
            text=_CAPTION,
            custom_entities=True,
            tokens_positive=[[[0, 3]]] * len(_BOXES),
        )

    def _pixels(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self._random.integers(0, 256, shape, dtype=np.uint8))

    def _map(self) -> torch.Tensor:
        """(1, H, W) class of each pixel, 255 where none, at the pipeline's scale of such maps."""
        side = int(self._side * self._map_scale)
        values = torch.full((1, side, side), self._num_map_classes - 1)
        values[:, : side // 2] = 0
        values[:, :, -max(side // 8, 1) :] = _LABELS_OF_STUFF
        return values


def _ellipses(side: int) -> np.ndarray:
    """(boxes, side, side) uint8 masks that fill `_BOXES`."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    masks = []
    for x1, y1, x2, y2 in np.array(_BOXES) * side:
        across = (columns - (x1 + x2) / 2) / (x2 - x1)
        down = (rows - (y1 + y2) / 2) / (y2 - y1)
        masks.append(across**2 + down**2 <= 0.25)
    return np.stack(masks).astype(np.uint8)


def _num_classes(model: Mapping[str, Any]) -> int:
    """How many classes every head of the model tells apart."""
    heads = [node for node in nodes_of(_without(model, "rpn_head")) if "num_classes" in node]
    counts = [node["num_classes"] for node in heads if isinstance(node["num_classes"], int)]
    return max(min(counts, default=80), 1)


def _num_map_classes(model: Mapping[str, Any], num_classes: int) -> int:
    for node in nodes_of(model):
        if node.get("num_stuff_classes"):
            return num_classes_of(node, "num_things_classes") + node["num_stuff_classes"]
    return num_classes


def num_classes_of(node: Mapping[str, Any], key: str) -> int:
    return int(node.get(key) or 0)


def _without(node: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != key}


def _is_map_rescaling(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "SegRescale" and "scale_factor" in node
