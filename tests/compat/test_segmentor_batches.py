import torch
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample


def test_training_images_are_padded_to_the_largest_where_a_config_leaves_it_open() -> None:
    images = [torch.ones(3, 4, 6), torch.ones(3, 5, 2)]
    samples = []
    for image in images:
        labels = PixelData(data=torch.ones(1, *image.shape[1:], dtype=torch.int64))
        samples.append(SegDataSample(gt_sem_seg=labels))
    batch = SegDataPreProcessor()(dict(inputs=images, data_samples=samples), training=True)
    assert batch["inputs"].shape == (2, 3, 5, 6)
    assert batch["inputs"][1, :, :, 2:].eq(0).all() and batch["inputs"][0, :, :4].eq(1).all()
    labels = batch["data_samples"][1].gt_sem_seg.data
    assert labels.shape == (1, 5, 6) and labels[0, :, 2:].eq(255).all()
