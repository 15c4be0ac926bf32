"""What the synthetic batches hold, and that the models' own preprocessors take them."""

import torch
from mmengine.config import Config

from vitdet.zoo.detection_batch import detection_batch
from vitdet.zoo.segmentation_batch import segmentation_batch


def detector(preprocessor: str = "DetDataPreprocessor", **settings) -> Config:
    head = dict(type="Head", num_classes=4)
    node = dict(type=preprocessor, **settings)
    return Config(
        dict(
            model=dict(bbox_head=head, rpn_head=dict(num_classes=1), data_preprocessor=node),
            train_pipeline=[dict(type="LoadAnnotations", with_bbox=True, with_mask=True)],
        )
    )


def test_masks_are_there_where_the_pipeline_loads_them() -> None:
    config = detector()
    for pipeline, expected in (
        ([dict(type="LoadAnnotations", with_bbox=True)], False),
        ([dict(type="LoadAnnotations", with_bbox=True, with_mask=False)], False),
        ([dict(type="LoadPanopticAnnotations")], True),
        ([dict(type="LoadAnnotations", with_mask=True)], True),
    ):
        config.train_pipeline = pipeline
        (sample, _) = detection_batch(config, 64, training=True)["data_samples"]
        assert ("masks" in sample.gt_instances) == expected


def test_boxes_contain_their_masks_and_labels_fit_every_head() -> None:
    batch = detection_batch(detector(), 64, training=True)
    assert [tuple(image.shape) for image in batch["inputs"]] == [(3, 64, 64)] * 2
    assert not torch.equal(*batch["inputs"])
    for sample in batch["data_samples"]:
        objects = sample.gt_instances
        assert set(objects.labels.tolist()) <= {0, 3}
        masks = torch.from_numpy(objects.masks.masks)
        for mask, box in zip(masks, objects.bboxes.tensor, strict=True):
            rows, columns = mask.nonzero(as_tuple=True)
            extent = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            torch.testing.assert_close(extent.float(), box, atol=1.5, rtol=0)


def test_predictions_get_one_sample() -> None:
    for config in (detector(), detector("TrackDataPreprocessor")):
        assert len(detection_batch(config, 64, training=False)["inputs"]) == 1


def test_maps_count_stuff_and_follow_the_pipeline_s_scale() -> None:
    config = detector()
    config.model.panoptic_head = dict(num_things_classes=4, num_stuff_classes=3)
    config.train_pipeline = [dict(type="SegRescale", scale_factor=1 / 8)]
    (sample, _) = detection_batch(config, 64, training=True)["data_samples"]
    assert sample.gt_sem_seg.sem_seg.shape == (1, 8, 8)
    assert set(sample.gt_sem_seg.sem_seg.unique().tolist()) == {0, 6, 255}


def test_videos_identities_and_branches() -> None:
    videos = detection_batch(detector("TrackDataPreprocessor"), 64, training=True)
    assert videos["inputs"][0].shape == (2, 3, 64, 64)
    assert [frame.frame_id for frame in videos["data_samples"][0]] == [0, 1]
    images = detection_batch(
        detector("TrackDataPreprocessor", use_det_processor=True), 64, training=True
    )
    assert images["inputs"][0].shape == (3, 64, 64)
    persons = detection_batch(detector("ReIDDataPreprocessor"), 64, training=True)
    assert persons["data_samples"][0].gt_label.label.tolist() == [0, 0, 1, 1]
    branches = detection_batch(detector("MultiBranchDataPreprocessor"), 64, training=True)
    assert set(branches["inputs"]) == {"sup", "unsup_teacher", "unsup_student"}


def test_segmentation_maps_fit_every_head() -> None:
    heads = dict(decode_head=[dict(num_classes=7), dict(num_classes=5)])
    batch = segmentation_batch(Config(dict(model=heads)), 32, training=True)
    assert len(batch["inputs"]) == 2
    (sample, _) = batch["data_samples"]
    assert set(sample.gt_sem_seg.data.unique().tolist()) == {0, 4, 255}
    assert sample.gt_sem_seg.data.shape == sample.gt_edge_map.data.shape == (1, 32, 32)


def test_two_photos_to_compare_have_six_channels() -> None:
    node = dict(type="SegDataPreProcessor", mean=[0.0] * 6, std=[1.0] * 6)
    head = dict(decode_head=dict(num_classes=2))
    for config in (dict(model=head, data_preprocessor=node),
                   dict(model=dict(head, data_preprocessor=node))):  # fmt: skip
        batch = segmentation_batch(Config(config), 64, training=False)
        assert [tuple(image.shape) for image in batch["inputs"]] == [(6, 64, 64)]
