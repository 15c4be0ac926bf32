"""Mask R-CNN with a Swin of 0.1 M parameters at 64 pixels: seconds per epoch, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.swin_maskrcnn_coco import *

model["backbone"] = dict(
    type=SwinTransformer, embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4
)
model["neck"].update(out_channels=16)
model["rpn_head"].update(in_channels=16, feat_channels=16)
model["rpn_head"]["anchor_generator"].update(scales=[4])
for extractor in ("bbox_roi_extractor", "mask_roi_extractor"):
    model["roi_head"][extractor].update(out_channels=16)
model["roi_head"]["bbox_head"].update(in_channels=16, fc_out_channels=32)
model["roi_head"]["mask_head"].update(in_channels=16, conv_out_channels=16, num_convs=1)
model["train_cfg"]["rcnn"]["sampler"].update(num=32)
model["train_cfg"]["rpn_proposal"].update(nms_pre=100, max_per_img=50)
model["test_cfg"]["rpn"].update(nms_pre=100, max_per_img=50)
model["test_cfg"]["rcnn"].update(score_thr=0.0, max_per_img=10)

train_dataloader["dataset"]["pipeline"][2].update(scale=(64, 64))
train_dataloader.update(num_workers=0, persistent_workers=False)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(64, 64))
    loader.update(num_workers=0, persistent_workers=False)
train_cfg.update(max_epochs=2)
param_scheduler[0].update(end=2)
randomness = dict(seed=0)
