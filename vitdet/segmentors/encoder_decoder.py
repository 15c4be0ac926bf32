"""mmseg's segmentor, with sliding windows that hold one map of logits of the image, not two."""

from collections.abc import Iterator
from typing import Any

import torch
from mmseg.models.segmentors import EncoderDecoder as MmsegEncoderDecoder
from torch import Tensor

from vitdet.registry import MODELS

LIGHT = 128  # channels of a head from which on it is none


@MODELS.register_module()
class EncoderDecoder(MmsegEncoderDecoder):
    """Backbone, optional neck, decode head and auxiliary heads; all parameters are mmseg's."""

    def extract_feat(self, inputs: Tensor) -> Any:
        """Compute the maps of `inputs`: (B, 3, H, W).

        Backbones lay them out for the training of large convolutions (`as_feature_map`). In a light
        head other operations take the time, all of which are faster on channels-last memory.
        """
        maps = super().extract_feat(inputs)
        if self.with_neck or getattr(self.decode_head, "channels", LIGHT) >= LIGHT:
            return maps
        return [one.contiguous(memory_format=torch.channels_last) for one in maps]

    def slide_inference(self, inputs: Tensor, batch_img_metas: list[dict[str, Any]]) -> Tensor:
        """Mean of the logits of all windows of `test_cfg.crop_size`, `test_cfg.stride` apart.

        The last windows end with the image; an image smaller than a window is one of its own size.
        The logits of a window are added in their place (mmseg first pads them to the size of the
        image), and the number of windows over a pixel is a product of rows and columns.

        Args:
            inputs: (B, 3, H, W) images.
            batch_img_metas: one for each image.

        Returns:
            (B, K, H, W) logits.
        """
        height, width = inputs.shape[-2:]
        (window_height, window_width), (step_down, step_right) = (
            self.test_cfg.crop_size,
            self.test_cfg.stride,
        )
        rows = list(_spans(height, window_height, step_down))
        columns = list(_spans(width, window_width, step_right))
        logits = inputs.new_zeros(len(inputs), self.out_channels, height, width)
        for row in rows:
            for column in columns:
                window = inputs[:, :, row, column]
                # Heads bring logits to one of these; Mask2Former's to the second.
                size = dict(img_shape=window.shape[2:], pad_shape=window.shape[2:])
                metas = [{**meta, **size} for meta in batch_img_metas]
                logits[:, :, row, column] += self.encode_decode(window, metas)
        counts = _coverage(rows, height)[:, None] * _coverage(columns, width)
        return logits.div_(counts.to(logits))


def _spans(length: int, window: int, step: int) -> Iterator[slice]:
    for start in range(0, max(length - window, 0) + step, step):
        end = min(start + window, length)
        yield slice(max(end - window, 0), end)


def _coverage(spans: list[slice], length: int) -> Tensor:
    """How many spans each position lies in."""
    counts = torch.zeros(length)
    for span in spans:
        counts[span] += 1
    return counts
