"""Layer norm over the channels of a map."""

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.layers.feature_map import as_feature_map
from vitdet.registry import MODELS


@MODELS.register_module()
class LayerNorm2d(nn.LayerNorm):
    """Normalize each position of a map over its channels; mmcv takes it as a `norm_cfg`."""

    def __init__(self, num_features: int, *, eps: float = 1e-6) -> None:
        super().__init__(num_features, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, C, H, W) to the same shape."""
        x = F.layer_norm(
            x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps
        )
        return as_feature_map(x)
