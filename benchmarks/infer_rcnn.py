"""Mask R-CNN Swin-T from pixels to 100 boxes and run-length coded masks: ours and mmdet's (B3)."""

from collections.abc import Callable

import torch
from harness import Benchmark, Case, Step
from pycocotools import mask as coco_mask
from rcnn_peers import mmdet_swin, vitdet_swin
from torch import Tensor, nn

from vitdet.evaluation.rle import encode_masks

NUM_FOUND = 100
# Random weights are sure of nothing, and boxes without a class are not kept: rows of the classifier
# are enlarged until an image has 100 objects, and no score limits them.
SURENESS = 6.0


def inference(
    build_model: Callable[[], nn.Module], encode: Callable[[Tensor], list]
) -> Callable[[Case, torch.device], Step]:
    def build(case: Case, device: torch.device) -> Step:
        from mmdet.structures import DetDataSample

        model = build_model().to(device).eval()
        with torch.no_grad():
            model.roi_head.bbox_head.fc_cls.weight.mul_(SURENESS)
        size, num_images = case.options["size"], case.options["images"]
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (num_images, 3, *size), generator=generator)
        meta = dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
        data = {
            "inputs": list(images.to(torch.uint8)),
            "data_samples": [DetDataSample(metainfo=meta) for _ in range(num_images)],
        }

        @torch.no_grad()
        def step() -> list[Tensor]:
            found = [sample.pred_instances for sample in model.test_step(data)]
            codes = [encode(one.masks) for one in found]
            assert all(len(one) == NUM_FOUND for one in codes), [len(one) for one in codes]
            areas = torch.tensor([coco_mask.area(one).sum().item() for one in codes])
            return [*(one.bboxes.cpu() for one in found), areas]

        return step

    return build


def mmdet_codes(masks: Tensor) -> list:
    from mmdet.structures.mask import encode_mask_results

    return encode_mask_results(masks.cpu().numpy())


def cases(is_quick: bool) -> list[Case]:
    full = [((480, 640), 1), ((480, 640), 8), ((800, 1344), 1)]
    chosen = [((192, 256), 1)] if is_quick else full
    return [
        Case(
            f"{h}x{w}, {num} image{'s' if num > 1 else ''}",
            dict(size=(h, w), images=num),
            tolerance=1e-3,
        )
        for (h, w), num in chosen
    ]


BENCHMARK = Benchmark(
    f"Mask R-CNN Swin-T, pixels to {NUM_FOUND} boxes and run-length coded masks",
    cases,
    {
        "vitdet": inference(vitdet_swin, encode_masks),
        "mmdet": inference(mmdet_swin, mmdet_codes),
    },
)
