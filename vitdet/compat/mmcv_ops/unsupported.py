"""The functions of `mmcv._ext` that vitdet does not supply."""

from collections.abc import Callable
from typing import Any, NoReturn

# `import mmcv.ops` checks that each exists; no model of mmdet 3.3 or mmsegmentation 1.2 calls one.
NAMES = (
    # rotated and quadrilateral boxes, polygons
    "active_rotated_filter_backward",
    "active_rotated_filter_forward",
    "box_iou_quadri",
    "box_iou_rotated",
    "convex_giou",
    "convex_iou",
    "diff_iou_rotated_sort_vertices_forward",
    "min_area_polygons",
    "nms_quadri",
    "nms_rotated",
    "points_in_polygons_forward",
    "riroi_align_rotated_backward",
    "riroi_align_rotated_forward",
    "roi_align_rotated_backward",
    "roi_align_rotated_forward",
    "rotated_feature_align_backward",
    "rotated_feature_align_forward",
    # point clouds and boxes in space
    "assign_score_withk_backward",
    "assign_score_withk_forward",
    "ball_query_forward",
    "chamfer_distance_backward",
    "chamfer_distance_forward",
    "dynamic_point_to_voxel_backward",
    "dynamic_point_to_voxel_forward",
    "dynamic_voxelize_forward",
    "furthest_point_sampling_forward",
    "furthest_point_sampling_with_dist_forward",
    "gather_points_backward",
    "gather_points_forward",
    "group_points_backward",
    "group_points_forward",
    "hard_voxelize_forward",
    "iou3d_boxes_overlap_bev_forward",
    "iou3d_nms3d_forward",
    "iou3d_nms3d_normal_forward",
    "knn_forward",
    "points_in_boxes_all_forward",
    "points_in_boxes_cpu_forward",
    "points_in_boxes_part_forward",
    "roiaware_pool3d_backward",
    "roiaware_pool3d_forward",
    "roipoint_pool3d_forward",
    "stack_ball_query_forward",
    "stack_group_points_backward",
    "stack_group_points_forward",
    "three_interpolate_backward",
    "three_interpolate_forward",
    "three_nn_forward",
    # sparse convolution
    "fused_indice_conv_forward",
    "get_indice_pairs_2d_backward",
    "get_indice_pairs_2d_forward",
    "get_indice_pairs_3d_backward",
    "get_indice_pairs_3d_forward",
    "get_indice_pairs_4d_forward",
    "indice_conv_backward",
    "indice_conv_forward",
    "indice_maxpool_backward",
    "indice_maxpool_forward",
    # generative models
    "bias_act",
    "filtered_lrelu",
    "filtered_lrelu_act_",
    "fused_bias_leakyrelu",
    "upfirdn2d",
    # text, video, flow and pooling of other projects
    "bezier_align_backward",
    "bezier_align_forward",
    "border_align_backward",
    "border_align_forward",
    "contour_expand",
    "correlation_backward",
    "correlation_forward",
    "pixel_group",
    "prroi_pool_backward",
    "prroi_pool_coor_backward",
    "prroi_pool_forward",
    "tin_shift_backward",
    "tin_shift_forward",
)


def stub(name: str) -> Callable[..., NoReturn]:
    """A function that refuses to run, naming the op."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv._ext.{name} is not supplied by vitdet; only a compiled mmcv has it "
            "(the names that are missing: vitdet/compat/mmcv_ops/unsupported.py)"
        )

    refuse.__name__ = refuse.__qualname__ = name
    return refuse
