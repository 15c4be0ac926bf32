import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from PIL import Image

import vitdet
from tests import tiny_mask_rcnn
from vitdet.errors import UserError
from vitdet.evaluation.rle import decode_masks
from vitdet.inference import Predictor
from vitdet.inference.prediction import Prediction
from vitdet.inference.torch_predictor import to_prediction
from vitdet.layers import winograd
from vitdet.prediction_files import predict_files


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_mask_rcnn.save_checkpoint(tmp_path_factory.mktemp("run") / "last.pth")


@pytest.fixture(scope="module")
def predictor(checkpoint) -> Predictor:
    return Predictor(checkpoint, "cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    """Two images of different sizes, without loss, so that every reader sees the same pixels."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths = []
    for number, (height, width) in enumerate([(80, 120), (130, 70)]):
        coarse = rng.integers(0, 255, (height // 10, width // 10, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def assert_same(a: Prediction, b: Prediction, *, atol: float = 0) -> None:
    np.testing.assert_allclose(a.boxes, b.boxes, atol=atol, rtol=0)
    np.testing.assert_allclose(a.scores, b.scores, atol=atol, rtol=0)
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.masks, b.masks)


@pytest.mark.parametrize("full_names", [False, True])
def test_checkpoint_of_mmdet_gives_what_mmdet_finds(tmp_path, photos, full_names):
    path = tiny_mask_rcnn.save_checkpoint(tmp_path / "last.pth", full_names=full_names)
    types = torch.load(path, weights_only=False)["meta"]["cfg"]
    assert ("type='mmdet.models.detectors.mask_rcnn.MaskRCNN'" in types) == full_names
    reference = init_detector(tiny_mask_rcnn.config(), str(path), device="cpu")
    predictions = Predictor(path, "cpu")([str(photos[0]), photos[1]])
    assert len(predictions) == 2
    for photo, prediction in zip(photos, predictions, strict=True):
        expected = inference_detector(reference, str(photo)).pred_instances
        assert len(expected) == 10
        np.testing.assert_array_equal(prediction.boxes, expected.bboxes.numpy())
        np.testing.assert_array_equal(prediction.scores, expected.scores.numpy())
        np.testing.assert_array_equal(prediction.labels, expected.labels.numpy())
        np.testing.assert_array_equal(prediction.masks, expected.masks.numpy())
        assert 0 < prediction.masks.mean() < 1
        assert prediction.class_names == tiny_mask_rcnn.CLASSES
        assert prediction.image_size == Image.open(photo).size[::-1]


def test_every_form_of_an_image_gives_the_same(predictor, photos):
    picture = Image.open(photos[0])
    from_path, from_array, from_picture = predictor([photos[0], np.asarray(picture), picture])
    assert_same(from_path, from_array)
    assert_same(from_path, from_picture)
    (alone,) = predictor(np.asarray(picture))
    assert_same(from_path, alone)


def test_what_stands_for_several_images(predictor, photos):
    expected = predictor(photos)
    pattern = str(photos[0].parent / "*.png")
    tensors = [torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) for path in photos]
    for given in (photos[0].parent, pattern, tensors, iter(photos)):
        for one, other in zip(predictor(given), expected, strict=True):
            assert_same(one, other)


def test_a_stream_reads_no_further_than_it_is_asked(predictor, photos):
    def endless():
        while True:
            yield photos[0]

    stream = predictor.stream(endless(), batch_size=2)
    assert next(stream).image_size == next(stream).image_size == (80, 120)
    assert next(stream).draw().size == (120, 80)


def test_a_batch_has_at_least_one_image(predictor, photos):
    with pytest.raises(UserError, match="batch_size=0"):
        predictor(photos, batch_size=0)


def test_channel_order_matters(predictor, photos):
    rgb = np.asarray(Image.open(photos[0]))
    right, swapped = predictor([rgb, rgb[..., ::-1]])
    assert not np.allclose(right.scores, swapped.scores, atol=1e-6)


def test_batches_change_nothing_but_rounding(predictor, photos):
    same_size = [photos[0], photos[0], photos[0]]
    for one, batched in zip(predictor(same_size), predictor(same_size, batch_size=2), strict=True):
        assert_same(one, batched, atol=1e-3)
    sizes = [p.image_size for p in predictor(photos, batch_size=2)]
    assert sizes == [(80, 120), (130, 70)]


def test_large_convolutions_take_fewer_multiplications(predictor, checkpoint, photos, monkeypatch):
    monkeypatch.setattr(winograd, "_FEWEST_CHANNELS", 16)  # what is large in such a small model
    monkeypatch.setattr(winograd, "_FEWEST_TILES", 1)
    faster = Predictor(checkpoint, "cpu")
    changed = [m for m in faster.model.modules() if isinstance(m, winograd.WinogradConv2d)]
    assert len(changed) > len(predictor.model.neck.fpn_convs)
    for one, other in zip(predictor(photos), faster(photos), strict=True):
        assert_same(one, other, atol=1e-3)


def test_images_are_turned_upright_like_those_of_training(predictor, tmp_path):
    # Coarse blocks survive JPEG; the tag says that the stored image is to be turned by 90 degrees.
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, :64] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=100, subsampling=0)
    from_path, from_picture = predictor([path, Image.open(path)])
    assert from_path.image_size == from_picture.image_size == (128, 64)
    assert from_path.draw().size == (64, 128)


def test_top_level_names():
    assert vitdet.Predictor is Predictor
    assert vitdet.Prediction is Prediction


class TestPrediction:
    @pytest.fixture
    def prediction(self, predictor, photos) -> Prediction:
        return predictor(photos[0])[0]

    def test_filter(self, prediction):
        threshold = float(np.median(prediction.scores))
        kept = prediction.filter(threshold)
        assert 0 < len(kept.scores) < len(prediction.scores)
        assert kept.scores.min() >= threshold
        assert len(kept.boxes) == len(kept.labels) == len(kept.masks) == len(kept.scores)
        none = prediction.filter(1.1)
        assert none.boxes.shape == (0, 4)
        assert none.masks.shape == (0, 80, 120)

    def test_to_supervision_needs_its_package(self, prediction, monkeypatch):
        monkeypatch.setitem(sys.modules, "supervision", None)
        with pytest.raises(UserError, match="pip install supervision"):
            prediction.to_supervision()

    def test_to_supervision(self, prediction):
        pytest.importorskip("supervision")
        for one in (prediction, prediction.filter(1.1)):
            detections = one.to_supervision()
            assert len(detections) == len(one.boxes)
            np.testing.assert_array_equal(detections.xyxy, one.boxes)
            np.testing.assert_array_equal(detections.mask, one.masks)
            np.testing.assert_array_equal(detections.confidence, one.scores)
            expected = [one.class_names[label] for label in one.labels]
            assert list(detections["class_name"]) == expected

    def test_to_coco(self, prediction):
        entries = json.loads(json.dumps(prediction.to_coco(image_id=7)))
        corners = np.array([entry["bbox"] for entry in entries])
        corners[:, 2:] += corners[:, :2]
        np.testing.assert_allclose(corners, prediction.boxes, atol=1e-4)
        assert [entry["category_id"] - 1 for entry in entries] == prediction.labels.tolist()
        assert {entry["image_id"] for entry in entries} == {7}
        codes = [entry["segmentation"] for entry in entries]
        np.testing.assert_array_equal(decode_masks(codes, 80, 120), prediction.masks)
        other = prediction.to_coco(image_id=7, category_ids=[40, 50, 60])
        assert [entry["category_id"] // 10 - 4 for entry in other] == prediction.labels.tolist()

    def test_draw(self, prediction, photos):
        picture = prediction.draw()
        assert picture.size == (120, 80)
        assert picture.tobytes() != Image.open(photos[0]).tobytes()
        assert picture.tobytes() == prediction.draw(Image.open(photos[0])).tobytes()
        assert prediction.draw(scale=2).size == (240, 160)
        with pytest.raises(UserError, match="the image is 70x130, the prediction is for 120x80"):
            prediction.draw(photos[1])


def test_maps_of_pixels_come_along():
    sample = DetDataSample(metainfo={"ori_shape": (2, 3)})
    sample.pred_sem_seg = PixelData(data=torch.arange(6).reshape(1, 2, 3))
    sample.pred_panoptic_seg = PixelData(sem_seg=torch.full((1, 2, 3), 1002))
    prediction = to_prediction(sample, ["a", "b"])
    np.testing.assert_array_equal(prediction.semantic, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(prediction.panoptic, np.full((2, 3), 1002))
    assert prediction.boxes.shape == (0, 4)
    assert prediction.masks is None
    with pytest.raises(UserError, match=r"give it to draw\(\)"):
        prediction.draw()


def test_the_best_score_comes_first():
    sample = DetDataSample(metainfo={"ori_shape": (2, 3)})
    masks = torch.zeros(3, 2, 3, dtype=torch.bool)
    masks[1] = True
    sample.pred_instances = InstanceData(
        bboxes=torch.arange(12.0).view(3, 4),
        scores=torch.tensor([0.2, 0.9, 0.2]),
        labels=torch.tensor([5, 6, 7]),
        masks=masks,
    )
    prediction = to_prediction(sample, list("abcdefgh"))
    assert prediction.labels.tolist() == [6, 5, 7]
    assert prediction.boxes[:, 0].tolist() == [4, 0, 8]
    assert prediction.masks.any((1, 2)).tolist() == [True, False, False]


class TestMistakes:
    @pytest.mark.parametrize(
        ("image", "message"),
        [
            ("nowhere.jpg", "image not found: nowhere.jpg"),
            (np.zeros((4, 4), np.uint8), r"\(H, W, 3\) uint8 in RGB order, not \(4, 4\) uint8"),
            (np.zeros((4, 4, 3)), "not .* float64"),
            (3, "not <class 'int'>"),
        ],
    )
    def test_images(self, predictor, image, message):
        with pytest.raises(UserError, match=message):
            predictor([image])

    def test_file_that_is_no_image(self, predictor, tmp_path):
        (tmp_path / "notes.jpg").write_text("no pixels here")
        with pytest.raises(UserError, match=r"notes\.jpg is not an image"):
            predictor(tmp_path / "notes.jpg")

    @pytest.mark.parametrize("part", ["cfg", "dataset_meta"])
    def test_checkpoints_that_are_not_complete(self, checkpoint, tmp_path, part):
        content = torch.load(checkpoint, weights_only=False)
        del content["meta"][part]
        torch.save(content, tmp_path / "bare.pth")
        expected = {"cfg": "carries no config", "dataset_meta": "carries no class names"}[part]
        with pytest.raises(UserError, match=rf"bare\.pth: .*{expected}"):
            Predictor(tmp_path / "bare.pth", "cpu")

    def test_weights_of_another_model(self, checkpoint, tmp_path):
        content = torch.load(checkpoint, weights_only=False)
        content["state_dict"].popitem()
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(UserError, match="1 missing"):
            Predictor(tmp_path / "other.pth", "cpu")

    def test_device_that_is_not_there(self, checkpoint):
        device = "mps" if not torch.backends.mps.is_available() else "cuda"
        with pytest.raises(UserError, match=f"device {device} is not available"):
            Predictor(checkpoint, device)

    def test_pipeline_that_reads_no_image(self, checkpoint, tmp_path):
        content = torch.load(checkpoint, weights_only=False)
        text = content["meta"]["cfg"].replace("type='LoadImageFromFile'", "type='PackDetInputs'")
        content["meta"]["cfg"] = text
        torch.save(content, tmp_path / "odd.pth")
        with pytest.raises(UserError, match="starts with PackDetInputs"):
            Predictor(tmp_path / "odd.pth", "cpu")


class TestPredictFiles:
    def test_drawings_and_json(self, checkpoint, photos, tmp_path):
        more = tmp_path / "more"
        more.mkdir()
        Image.open(photos[0]).save(more / "0.png")
        (more / "notes.txt").write_text("not an image")
        out = tmp_path / "new" / "out"
        predict_files(checkpoint, [*photos, more], out=out, score_threshold=0.0, device="cpu")
        assert sorted(p.name for p in out.iterdir()) == [
            *("0.png", "0_2.png", "1.png", "predictions.json")
        ]
        assert Image.open(out / "1.png").size == (70, 130)
        content = json.loads((out / "predictions.json").read_text())
        assert [image["file_name"] for image in content["images"]] == [
            *map(str, photos),
            str(more / "0.png"),
        ]
        assert content["images"][1] | {"file_name": ""} == {
            "id": 2,
            "file_name": "",
            "height": 130,
            "width": 70,
        }
        assert [c["name"] for c in content["categories"]] == list(tiny_mask_rcnn.CLASSES)
        known = {category["id"] for category in content["categories"]}
        assert {ann["category_id"] for ann in content["annotations"]} <= known
        assert {ann["image_id"] for ann in content["annotations"]} == {1, 2, 3}
        assert len({ann["id"] for ann in content["annotations"]}) == len(content["annotations"])

    def test_threshold(self, checkpoint, photos, tmp_path):
        predict_files(checkpoint, photos, out=tmp_path, score_threshold=1.1, device="cpu")
        assert json.loads((tmp_path / "predictions.json").read_text())["annotations"] == []

    def test_folder_without_images(self, checkpoint, tmp_path):
        with pytest.raises(UserError, match="no images in"):
            predict_files(checkpoint, [tmp_path], out=tmp_path / "out")
