"""Attention over HTTP is what the model's layers take."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from tests.deploy.test_export import save_checkpoint
from vitdet.inference import Predictor
from vitdet.insight.look import look
from vitdet.insight.model_view import view_of
from vitdet.serving.app import create_app
from vitdet.serving.attention import layers_to_ask
from vitdet.serving.limits import Limits
from vitdet.serving.model import describe
from vitdet.serving.service import Service


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    folder: Path = tmp_path_factory.mktemp("run")
    return Predictor(save_checkpoint("tiny_detr", folder), "cpu")


@pytest.fixture(scope="module")
def client(predictor):
    service = Service(predictor, Limits())
    with TestClient(create_app(service, describe(predictor, "last.pth", Limits()))) as client:
        yield client


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (80, 120, 3), dtype=np.uint8)


def ask(client, photo: np.ndarray, **query):
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    return client.post("/attention", files={"image": buffer.getvalue()}, params=query)


def test_the_layers_are_told(client, predictor) -> None:
    layers = client.get("/model").json()["layers"]
    assert layers == layers_to_ask(predictor)
    assert layers[-1].startswith("decoder.")


def expected_values(shares: torch.Tensor) -> np.ndarray:
    mean = shares.double().mean(0).numpy()
    return 255 * mean / mean.max()


def test_an_object_asks_by_its_query(client, predictor, photo) -> None:
    layer = layers_to_ask(predictor)[-1]
    seen = look(predictor.model, view_of(predictor, photo), [layer])
    maps = []
    for found in seen.objects[:3]:
        box = [*map(float, found.box)]
        response = ask(client, photo, layer=layer, x=0.5, y=0.5, box=box)
        answer = response.json()
        assert response.status_code == 200 and len(answer["values"]) == (
            answer["rows"] * answer["columns"]
        )
        shares = seen.of_object(layer, found)
        values = np.reshape(answer["values"], shares.shape[1:])
        np.testing.assert_allclose(values, expected_values(shares), atol=1)
        maps.append(values)
    assert not np.array_equal(maps[0], maps[1])


def test_a_place_asks_by_its_token(client, predictor, photo) -> None:
    layer = layers_to_ask(predictor)[0]
    assert layer.startswith("encoder.")
    answer = ask(client, photo, layer=layer, x=0.99, y=0.01).json()
    seen = look(predictor.model, view_of(predictor, photo), [layer]).layers[layer]
    token_width, token_height = answer["token"]
    column = int(0.99 / token_width)
    assert token_height > 0.01
    shares = seen.of_place(0, column)
    values = np.reshape(answer["values"], shares.shape[1:])
    np.testing.assert_allclose(values, expected_values(shares), atol=1)


def test_what_cannot_be_asked(client, predictor, photo) -> None:
    first, *_, last = layers_to_ask(predictor)
    for query, message in (
        (dict(layer="none", x=0.5, y=0.5), "none is none to ask"),
        (dict(layer=last, x=0.5, y=0.5), "asked by objects only"),
        (dict(layer=first, x=2, y=0.5), "x: "),
        (dict(layer=first, x=0.5, y=0.5, box=[1, 2]), "box: "),
    ):
        response = ask(client, photo, **query)
        assert response.status_code == 422
        assert message in response.json()["error"]
