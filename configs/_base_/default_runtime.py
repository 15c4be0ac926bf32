"""What every run shares: scope, hooks, environment.

`last.pth`, `best.pth`, `metrics.jsonl` and the progress bar need no line here:
`vitdet.engine.Runner` has them.
"""

from mmdet.visualization import DetLocalVisualizer
from mmengine.hooks import DistSamplerSeedHook, IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.runner import LogProcessor
from mmengine.visualization import LocalVisBackend

from vitdet.engine.bad_steps import SkipBadSteps
from vitdet.engine.unreadable_images import SkipUnreadableImages

default_scope = "mmdet"
default_hooks = dict(
    timer=dict(type=IterTimerHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    sampler_seed=dict(type=DistSamplerSeedHook),
    bad_steps=dict(type=SkipBadSteps, max_in_a_row=5),
    unreadable_images=dict(type=SkipUnreadableImages, limit=None),  # one in a hundred, at most 50
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    # seconds that processes wait for one another; one alone computes the scores of an evaluation
    dist_cfg=dict(backend="nccl", timeout=1800),
)
log_processor = dict(type=LogProcessor, window_size=50, by_epoch=True)
visualizer = dict(
    type=DetLocalVisualizer, vis_backends=[dict(type=LocalVisBackend)], name="visualizer"
)
log_level = "INFO"
load_from = None
resume = False
