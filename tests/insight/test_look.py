"""What queries and detection tokens look at, against the weights that the models return."""

import numpy as np
import pytest
import torch

from tests.insight.tiny_checkpoints import save_checkpoint
from vitdet.errors import UserError
from vitdet.inference.torch_predictor import TorchPredictor
from vitdet.insight.look import choose_layers, layer_names, look
from vitdet.insight.model_view import View, load_predictor, view_of

PHOTO = np.random.default_rng(0).integers(0, 255, (48, 80, 3), np.uint8)


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TorchPredictor]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        name: load_predictor(save_checkpoint(name, folder), "cpu")
        for name in ("detr", "yolos", "sequencer_detr")
    }


def seen_view(predictor: TorchPredictor) -> View:
    view = view_of(predictor, PHOTO)
    assert view.pixels.shape == (58, 96, 3)  # resized, not padded
    return view


def test_pixels_come_back_as_they_were(predictors: dict[str, TorchPredictor]) -> None:
    view = view_of(predictors["yolos"], np.full((64, 96, 3), (10, 120, 250), np.uint8))
    assert (view.pixels == (10, 120, 250)).all()


def test_detr_objects_and_places(predictors: dict[str, TorchPredictor]) -> None:
    model = predictors["detr"].model
    names = layer_names(model)
    assert names[0] == "backbone.stages.0.blocks.0"
    assert names[-3:] == ["encoder.0", "decoder.0", "decoder.1"]
    assert choose_layers(model) == ["encoder.0", "decoder.1"]
    view = seen_view(predictors["detr"])
    seen = look(model, view, names)
    assert list(seen.layers) == names
    with torch.no_grad():
        decoded = model.decode(view.inputs, view.samples, return_attention=True)
    size = decoded.memory.shape[2:]
    assert len(seen.objects) == 5
    assert [one.score for one in seen.objects] == sorted(
        (one.score for one in seen.objects), reverse=True
    )
    for one in seen.objects:
        expected = decoded.attention["memory"][1][0, :, one.query].unflatten(1, size)
        torch.testing.assert_close(seen.of_object("decoder.1", one), expected)
        assert seen.of_object("encoder.0", one) is None
        box = decoded.boxes[-1, 0, one.query]
        np.testing.assert_allclose(one.box[2] - one.box[0], box[2], atol=1e-6)
    place = seen.layers["encoder.0"].of_place(2, 5)
    expected = decoded.attention["encoder"][0][0, :, 2 * size[1] + 5].unflatten(1, size)
    torch.testing.assert_close(place, expected)


def test_yolos_detection_tokens(predictors: dict[str, TorchPredictor]) -> None:
    model, view = predictors["yolos"].model, seen_view(predictors["yolos"])
    names = layer_names(model)
    seen = look(model, view, names)
    with torch.no_grad():
        attention = model.decode(view.inputs, return_attention=True).attention
    for name, weights in zip(names, attention, strict=True):
        grid = seen.layers[name].grid
        assert (grid.height, grid.width, grid.stride, grid.first) == (7, 12, 8, 1)
        for one in seen.objects:
            expected = weights[0, :, one.query, 1:85].unflatten(1, (7, 12))
            torch.testing.assert_close(seen.of_object(name, one), expected)
    with pytest.raises(UserError, match="asks nothing"):
        seen.layers[names[-1]].of_place(0, 0)


def test_sequencer_blocks_are_layers(predictors: dict[str, TorchPredictor]) -> None:
    model = predictors["sequencer_detr"].model
    names = choose_layers(model, ["stages.1.blocks.0"])
    assert names == ["backbone.stages.1.blocks.0"]
    seen = look(model, seen_view(predictors["sequencer_detr"]), names)
    assert seen.layers[names[0]].of_place(0, 0).shape == (4, 8, 12)


def test_choice_of_layers(predictors: dict[str, TorchPredictor]) -> None:
    model = predictors["detr"].model
    names = layer_names(model)
    assert choose_layers(model, ["all"]) == names
    assert choose_layers(model, ["-1", "0"]) == [names[0], names[-1]]
    assert choose_layers(model, ["stages.1.blocks.1"]) == ["backbone.stages.1.blocks.1"]
    with pytest.raises(UserError, match=r"is one of backbone\.stages\.0\.blocks\.0, backbone"):
        choose_layers(model, ["blocks.0"])
    with pytest.raises(UserError, match="no layer; there are 6, from"):
        choose_layers(model, ["7"])
    assert choose_layers(predictors["yolos"].model) == [f"backbone.blocks.{i}" for i in range(3)]
