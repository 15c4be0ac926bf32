"""Exported models say what torch says, for any number of images, and need no torch."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from tests.small_recipes import small_model
from vitdet.cli import main
from vitdet.deploy.export import export
from vitdet.deploy.exportable import exportable
from vitdet.deploy.parity import HALF, compare, painted
from vitdet.deploy.region_detector import features_of_regions
from vitdet.engine.config import load_model_config
from vitdet.errors import UserError
from vitdet.inference import Predictor
from vitdet.inference.model_card import KEY, ModelCard

CONFIGS = Path(__file__).parents[1] / "engine"


def save_checkpoint(name: str, folder: Path) -> Path:
    """A checkpoint of a tiny model, of random weights that see differences."""
    if name.startswith("tiny_"):
        config = load_model_config(CONFIGS / f"{name}.py")
        with DefaultScope.overwrite_default_scope(config["default_scope"]):
            model = MODELS.build(config["model"])
    else:
        config = load_model_config(name)
        model = small_model(config)
    return _save(model, config, folder / f"{name}.pth")


def _save(model: torch.nn.Module, config: Config, path: Path) -> Path:
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    number = max(one.num_classes for one in model.modules() if hasattr(one, "num_classes"))
    meta = dict(cfg=config.pretty_text, dataset_meta=dict(classes=[f"c{k}" for k in range(number)]))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def save_htc(folder: Path) -> Path:
    """A checkpoint of HTC with the semantic branch that mmdet's recipe has."""
    config = load_model_config("swin_htc_coco")
    config["model"]["test_cfg"]["rcnn"]["nms"] = dict(type="nms", iou_threshold=0.5)
    layer = dict(type="RoIAlign", output_size=14, sampling_ratio=0)
    config["model"]["roi_head"].update(
        semantic_roi_extractor=dict(
            type="SingleRoIExtractor", roi_layer=layer, out_channels=256, featmap_strides=[8]
        ),
        semantic_head=dict(
            type="FusedSemanticHead",
            num_ins=5,
            fusion_level=1,
            in_channels=256,
            conv_out_channels=256,
            num_classes=5,
        ),
    )
    return _save(small_model(config), config, folder / "htc.pth")


NAMES = [
    *("tiny_detr", "tiny_yolos", "swin_retinanet_coco"),
    pytest.param("swin_maskrcnn_coco", marks=pytest.mark.slow),  # Cascade has all its parts
    *("swin_cascade_maskrcnn_coco_3x", "tiny_upernet", "tiny_semantic_fpn"),
]


@pytest.fixture(scope="module", params=NAMES)
def exported(request, tmp_path_factory) -> tuple[Path, Path]:
    """A checkpoint, and its ONNX file of 64 x 96."""
    checkpoint = save_checkpoint(request.param, tmp_path_factory.mktemp("run"))
    return checkpoint, export(checkpoint, size=(64, 96))


def test_it_says_what_torch_says(exported) -> None:
    checkpoint, file = exported
    parity = compare(Predictor(file), Predictor(checkpoint, "cpu"))
    assert parity.holds and parity.num_images == 2


def test_several_images_at_once(exported) -> None:
    predictor = Predictor(exported[1])
    pixels = np.stack([predictor.prepare(one)[0] for one in (*painted(), painted()[0][::-1])])
    together = predictor.run(pixels)
    for index, one in enumerate(pixels):
        for name, value in predictor.run(one[None]).items():
            np.testing.assert_allclose(together[name][index], value[0], atol=1e-3)


def test_results_are_in_pixels_of_the_photo(exported) -> None:
    checkpoint, file = exported
    photo = np.asarray(Image.fromarray(painted()[0]).resize((192, 100)))
    (ours,), (theirs,) = Predictor(file)(photo), Predictor(checkpoint, "cpu")(photo)
    assert ours.image_size == (100, 192) and ours.class_names == theirs.class_names
    if theirs.semantic is not None:
        assert ours.semantic.shape == (100, 192)
        return
    assert ours.boxes.max() > 96 and ours.boxes[:, 2].max() < 250
    if theirs.masks is not None:
        assert ours.masks.shape == (len(ours.boxes), 100, 192) and ours.masks.any()
    assert (np.diff(ours.scores) <= 0).all()


def test_a_batch_is_its_images(exported) -> None:
    predictor = Predictor(exported[1])
    one, other = painted()
    for images in ([one, one[::-1], one], [one, other, one]):  # of one size, and of two
        for each, alone in zip(predictor(images, batch_size=3), predictor(images), strict=True):
            assert each.image_size == alone.image_size
            np.testing.assert_allclose(each.scores, alone.scores, atol=1e-3)
            if alone.semantic is not None:
                assert (each.semantic == alone.semantic).mean() > 0.999


def test_torch_is_not_imported(exported, tmp_path) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(painted()[0]).save(photo)
    code = (
        "import sys, vitdet; p = vitdet.Predictor(sys.argv[1]); p(sys.argv[2])[0].draw();"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(exported[1]), str(photo)], check=True)


@pytest.mark.parametrize(
    ("name", "multiple"),
    [
        ("tiny_detr", 1),
        pytest.param("swin_maskrcnn_coco", 128, marks=pytest.mark.slow),  # windows of 4 tokens
        pytest.param("swin_retinanet_coco", 128, marks=pytest.mark.slow),
        pytest.param("tiny_yolos", 32, marks=pytest.mark.slow),
    ],
)
def test_a_file_for_any_size(name, multiple, tmp_path) -> None:
    checkpoint = save_checkpoint(name, tmp_path)
    file = export(checkpoint, dynamic=True)
    predictor = Predictor(file)
    assert predictor.card.size is None and predictor.card.multiple == multiple
    for image in painted():
        prepared, (factor, _) = predictor.prepare(image)
        for length, side in zip(prepared.shape, image.shape[:2], strict=False):
            assert length % multiple == 0 and 0 <= length - side * factor < multiple + 1
    assert compare(predictor, Predictor(checkpoint, "cpu")).holds


@pytest.mark.slow
def test_htc(tmp_path) -> None:
    file = export(save_htc(tmp_path), size=(64, 96))  # compares with torch
    (found,) = Predictor(file)(painted()[0])
    assert len(found.boxes) and found.masks.any()


class TestHalfPrecision:
    def test_weights_only(self, tmp_path) -> None:
        checkpoint = save_checkpoint("tiny_detr", tmp_path)
        file = export(checkpoint, size=(64, 96), half=True)  # and compares with torch
        graph = onnx.load(file).graph
        sizes = {1: 0, 10: 0}  # numbers of float32 and float16
        for weight in graph.initializer:
            if weight.data_type in sizes:
                sizes[weight.data_type] += np.prod(weight.dims)
        assert sizes[10] > 5 * sizes[1]
        for output in Predictor(file).run(np.zeros((3, 64, 96, 3), np.uint8)).values():
            assert len(output) == 3 and output.dtype in (np.float32, np.int64)

    @pytest.mark.slow
    def test_variances_beyond_its_range(self, tmp_path) -> None:
        checkpoint = save_checkpoint("tiny_semantic_fpn", tmp_path)
        contents = torch.load(checkpoint)
        for name, value in contents["state_dict"].items():
            if name.endswith("running_var"):
                value.fill_(1e6)
                contents["state_dict"][name.replace("running_var", "weight")].fill_(1e3)
        torch.save(contents, checkpoint)
        file = export(checkpoint, size=(64, 96), half=True)
        assert compare(Predictor(file), Predictor(checkpoint, "cpu"), tolerance=HALF).holds

    def test_places_of_regions_keep_theirs(self) -> None:
        layer = dict(type="RoIAlign", output_size=7, sampling_ratio=2)
        extractor = SingleRoIExtractor(layer, out_channels=4, featmap_strides=[8])
        features = torch.rand(1, 4, 8, 512)
        boxes = torch.tensor([[[3001.3, 10.2, 3040.6, 40.9], [4000.7, 3.3, 4031.1, 60.0]]])
        found = features_of_regions(extractor, [features.half()], boxes)
        assert found.dtype == torch.float16
        exact = features_of_regions(extractor, [features], boxes)
        # In half precision places are 2 pixels apart there, a quarter of a feature.
        torch.testing.assert_close(found.float(), exact, atol=2e-3, rtol=0)


class TestForTorch:
    @pytest.mark.parametrize(
        ("name", "half"),
        [
            ("tiny_yolos", False),
            pytest.param("tiny_yolos", True, marks=pytest.mark.slow),
            pytest.param("swin_maskrcnn_coco", False, marks=pytest.mark.slow),
            pytest.param("tiny_semantic_fpn", False, marks=pytest.mark.slow),
        ],
    )
    def test_it_is_compared_and_takes_any_number(self, name, half, tmp_path, capfd) -> None:
        checkpoint = save_checkpoint(name, tmp_path)
        file = export(checkpoint, file_format="torch_export", size=(64, 96), half=half)
        assert re.search(r"(objects|pixels) in 2 images as torch has them", capfd.readouterr().out)
        extra = {f"{KEY}.json": ""}
        module = torch.export.load(file, extra_files=extra).module()
        card = ModelCard.from_json(extra[f"{KEY}.json"], source="file")
        assert card.size == (64, 96)
        results = module(torch.zeros(3, 64, 96, 3, dtype=torch.uint8))
        if card.task == "segmentation":
            assert results.shape == (3, 64, 96)
            return
        boxes, scores, labels = results[:3]
        assert len(boxes) == 3 and boxes.shape[2] == 4 and scores.shape == labels.shape
        assert boxes.dtype == scores.dtype == torch.float32

    def test_a_wrong_file_takes_no_place(self, tmp_path, monkeypatch) -> None:
        checkpoint, out = save_checkpoint("tiny_yolos", tmp_path), tmp_path / "run" / "model.pt2"
        out.parent.mkdir()
        out.write_bytes(b"an earlier one")
        save = torch.export.save

        def spoil(program, *args, **kwargs) -> None:
            (bias,) = (key for key, value in program.state_dict.items() if value.shape == (4,))
            moved = program.state_dict[bias].detach() + 0.1  # of the boxes
            program.state_dict[bias] = torch.nn.Parameter(moved)
            save(program, *args, **kwargs)

        monkeypatch.setattr(torch.export, "save", spoil)
        with pytest.raises(UserError, match=r"the exported file differs from torch: .* px"):
            export(checkpoint, out, file_format="torch_export", size=(64, 96))
        assert [one.read_bytes() for one in out.parent.iterdir()] == [b"an earlier one"]


class TestMistakes:
    def test_a_model_that_cannot_be_exported(self) -> None:
        with pytest.raises(UserError, match="a Linear cannot be exported yet; DETR"):
            exportable(torch.nn.Linear(1, 1))

    def test_htc_as_published(self) -> None:
        model = small_model(load_model_config("swin_htc_coco"))  # with soft-NMS
        with pytest.raises(UserError, match="a HybridTaskCascade cannot be exported yet"):
            exportable(model)

    def test_a_segmentor_of_any_size(self, tmp_path) -> None:
        checkpoint = save_checkpoint("tiny_semantic_fpn", tmp_path)
        with pytest.raises(UserError, match="one size: leave --dynamic out"):
            export(checkpoint, dynamic=True)
        assert not list(tmp_path.glob("*.onnx"))

    def test_a_file_that_is_exported_already(self, exported, capsys) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["export", str(exported[1])])
        assert ended.value.code == 2 and "exported file already" in capsys.readouterr().err

    def test_files_of_others(self, tmp_path) -> None:
        path = tmp_path / "model.onnx"
        with pytest.raises(UserError, match="no such file"):
            Predictor(path)
        with pytest.raises(UserError, match=r"model.pt2 is for programs .* or an \.onnx file"):
            Predictor(path.with_suffix(".pt2"))
        path.write_bytes(b"no model")
        with pytest.raises(UserError, match="onnxruntime cannot load it"):
            Predictor(path)

    @pytest.mark.parametrize("text", [None, "", "[]", "{}", json.dumps({"task": "detection"})])
    def test_a_file_without_a_card(self, text) -> None:
        with pytest.raises(UserError, match="says nothing about its classes"):
            ModelCard.from_json(text, source="model.onnx")

    def test_a_difference_is_not_let_pass(self, exported, tmp_path) -> None:
        checkpoint, file = exported
        reference = Predictor(checkpoint, "cpu")
        with torch.no_grad():
            for parameter in reference.model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        with pytest.raises(UserError, match="differs from torch"):
            compare(Predictor(file), reference)
