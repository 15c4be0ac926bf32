"""Pictures of what a model sees and says."""

from vitdet.lazy_names import lazy_names

_HOMES = {
    "draw_ground_truth": "ground_truth",
    "draw_instances": "draw",
    "draw_panoptic": "panoptic",
    "image_grid": "grid",
}
__all__ = list(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
