"""Pictures of what a model sees and says."""

from vitdet.visualization.draw import draw_instances
from vitdet.visualization.grid import image_grid
from vitdet.visualization.ground_truth import draw_ground_truth

__all__ = ["draw_ground_truth", "draw_instances", "image_grid"]
