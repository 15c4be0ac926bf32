"""Pictures of what a model sees and says."""

from vitdet.visualization.draw import draw_instances
from vitdet.visualization.grid import image_grid
from vitdet.visualization.ground_truth import draw_ground_truth
from vitdet.visualization.panoptic import draw_panoptic

__all__ = ["draw_ground_truth", "draw_instances", "draw_panoptic", "image_grid"]
