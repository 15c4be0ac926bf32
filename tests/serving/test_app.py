"""What the addresses answer, without a socket."""

import asyncio
import io
import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests import tiny_mask_rcnn
from tests.fuzz.image_samples import image_bytes
from tests.serving.hostile_uploads import hostile_upload, mutated_upload, upload
from vitdet.errors import UserError
from vitdet.evaluation.rle import decode_masks
from vitdet.inference import Prediction, Predictor
from vitdet.serving.answer import Answer
from vitdet.serving.app import create_app
from vitdet.serving.limits import Limits
from vitdet.serving.model import describe
from vitdet.serving.service import Service


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    path = tiny_mask_rcnn.save_checkpoint(tmp_path_factory.mktemp("run") / "last.pth")
    return Predictor(path, "cpu")


class Fake(Predictor):
    """Finds a box as large as the image, or raises what it is told to; may have to wait."""

    class_names = ("ant", "bee")

    def __new__(cls, *_: object) -> "Fake":
        return object.__new__(cls)

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.sizes: list[list[tuple[int, int]]] = []

    def _predict(self, batch):
        self.may_go_on.wait(10)
        self.sizes.append([image.shape[:2] for image in batch])
        if self.error is not None:
            raise self.error
        return [
            Prediction(
                np.float32([[0, 0, *image.shape[1::-1]]]), np.float32([0.5]), np.array([1]),
                class_names=self.class_names, image_size=image.shape[:2],
            )
            for image in batch
        ]  # fmt: skip


def client_of(predictor: Predictor, *, allow_urls: bool = False, **limits: float) -> TestClient:
    service = Service(predictor, Limits(**limits), allow_urls=allow_urls)
    app = create_app(service, describe(predictor, "last.pth", service.limits))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(predictor):
    with client_of(predictor) as client:
        yield client


def photo_bytes(width: int, height: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(buffer, kind)
    return buffer.getvalue()


def post(client: TestClient, content: bytes, **query):
    return client.post("/predict", files={"image": content}, params=query)


def test_it_answers_what_the_predictor_finds(client, predictor, tmp_path) -> None:
    content = photo_bytes(120, 80)
    (tmp_path / "photo.png").write_bytes(content)
    (expected,) = predictor(tmp_path / "photo.png")
    response = post(client, content, score=0)
    assert response.status_code == 200
    answer = Answer.model_validate(response.json())
    assert (answer.width, answer.height) == (120, 80) and answer.seconds > 0
    np.testing.assert_allclose([one.box for one in answer.objects], expected.boxes, atol=0.006)
    np.testing.assert_allclose([one.score for one in answer.objects], expected.scores, atol=1e-4)
    names = [expected.class_names[label] for label in expected.labels]
    assert [one.label for one in answer.objects] == names
    masks = decode_masks([one.mask.model_dump() for one in answer.objects], 80, 120)
    np.testing.assert_array_equal(masks, expected.masks)
    assert masks.any()


def test_only_what_is_asked_for(client, predictor) -> None:
    content = photo_bytes(120, 80)
    (expected,) = predictor(Image.open(io.BytesIO(content)))
    least = float(expected.scores[4])
    some = post(client, content, score=least, masks=False).json()["objects"]
    assert len(some) == (expected.scores >= least).sum() < len(expected.scores)
    assert all(one["mask"] is None for one in some)


def test_a_long_photo_is_shrunk_and_its_answer_is_not(predictor) -> None:
    content = photo_bytes(240, 160)
    with client_of(predictor) as whole, client_of(predictor, max_side=60) as shrunk:
        one, other = (post(each, content, score=0).json() for each in (whole, shrunk))
    assert (other["width"], other["height"]) == (240, 160)
    assert other["objects"][0]["mask"]["size"] == [160, 240]
    assert max(one["box"][2] for one in other["objects"]) > 120
    # The tiny model looks at 96 pixels at most: what it finds is nearly the same.
    np.testing.assert_allclose(other["objects"][0]["score"], one["objects"][0]["score"], atol=0.1)


def test_photos_are_turned_upright(client) -> None:
    answer = post(client, image_bytes("jpg")).json()  # 64 x 48, to be turned
    assert (answer["width"], answer["height"]) == (48, 64)


def test_a_class_of_each_pixel_comes_as_segments() -> None:
    semantic = np.zeros((20, 30), np.int64)
    semantic[5:, 10:] = 1

    class Segmentor(Fake):
        def _predict(self, batch):
            nothing = np.zeros(0, np.float32)
            return [
                Prediction(
                    np.zeros((0, 4), np.float32), nothing, nothing.astype(int),
                    class_names=self.class_names, image_size=image.shape[:2],
                    semantic=semantic[: image.shape[0], : image.shape[1]],
                )
                for image in batch
            ]  # fmt: skip

    with client_of(Segmentor()) as client:
        answer = post(client, photo_bytes(30, 20)).json()
    assert [(one["label"], one["share"]) for one in answer["segments"]] == [
        ("ant", 0.5), ("bee", 0.5)
    ]  # fmt: skip
    (bee,) = decode_masks([answer["segments"][1]["mask"]], 20, 30)
    np.testing.assert_array_equal(bee, semantic == 1)


def test_what_is_served(client) -> None:
    model = client.get("/model").json()
    assert [one["name"] for one in model["classes"]] == list(tiny_mask_rcnn.CLASSES)
    assert all(len(one["colour"]) == 7 for one in model["classes"])
    assert client.get("/health").json() == {"status": "ok", "waiting": 0}


def test_the_pages_ask_no_other_machine(client) -> None:
    page, docs = client.get("/"), client.get("/docs")
    assert page.status_code == docs.status_code == 200
    assert "http://" not in page.text and "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "https://" not in docs.text
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/predict", "/attention", "/model", "/health", "/metrics"}
    form = paths["/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["required"] == ["image"]


def test_metrics_count() -> None:
    with client_of(Fake()) as client:
        for content in (photo_bytes(30, 20), photo_bytes(30, 20), b"none"):
            post(client, content)
        text = client.get("/metrics").text
    assert 'vitdet_requests_total{status="200"} 2.0' in text
    assert 'vitdet_requests_total{status="415"} 1.0' in text
    assert "vitdet_batch_photos_sum 2.0" in text


class TestRefused:
    def error_of(self, response, status: int) -> str:
        assert response.status_code == status
        (message,) = response.json().values()
        return message

    def test_what_is_no_photo(self, client) -> None:
        assert "no known image format" in self.error_of(post(client, b"words"), 415)
        assert "damaged" in self.error_of(post(client, photo_bytes(90, 90)[:-200]), 422)

    def test_too_large(self) -> None:
        with client_of(Fake(), megabytes=0.01, megapixels=0.001) as client:
            assert "more than 0.001 million" in self.error_of(
                post(client, photo_bytes(40, 30)), 413
            )
            assert "more than 0.01 MB" in self.error_of(post(client, bytes(20_000)), 413)
            chunks = (b"x" * 1000 for _ in range(20))
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            response = client.post("/predict", content=chunks, headers=headers)
            assert "more than 0.01 MB" in self.error_of(response, 413)

    def test_too_narrow(self, client) -> None:
        assert "1500x1 cannot be resized" in self.error_of(post(client, photo_bytes(1500, 1)), 422)

    def test_addresses(self, client) -> None:
        response = client.post("/predict", files={"url": (None, "http://127.0.0.1:1/a.jpg")})
        assert "--allow-urls" in self.error_of(response, 403)

    def test_addresses_that_are_none(self) -> None:
        with client_of(Fake(), allow_urls=True) as client:
            for url in ("file:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/a", "data:,x"):
                response = client.post("/predict", files={"url": (None, url)})
                assert "no address that begins with http" in self.error_of(response, 422)
            response = client.post("/predict", files={"url": (None, "http://127.0.0.1:1/a")})
            assert "cannot be fetched" in self.error_of(response, 422)

    def test_wrong_questions(self, client) -> None:
        assert "score" in self.error_of(post(client, photo_bytes(9, 9), score=7), 422)
        assert "Not Found" in self.error_of(client.get("/../../etc/passwd"), 404)
        assert "Allowed" in self.error_of(client.get("/predict"), 405)
        for path in ("/static-offline-docs/../core.py", "/static-offline-docs/%2e%2e/core.py"):
            assert client.get(path).status_code == 404

    def test_a_fault_is_ours(self) -> None:
        predictor = Fake()
        with client_of(predictor) as client:
            predictor.error = RuntimeError("secret")
            message = self.error_of(post(client, photo_bytes(9, 9)), 500)
            assert "secret" not in message
            predictor.error = UserError("too odd")
            assert self.error_of(post(client, photo_bytes(9, 9)), 422) == "too odd"
            predictor.error = None
            assert post(client, photo_bytes(9, 9)).status_code == 200


class TestManyAtATime:
    def test_those_who_wait_too_long_or_come_too_late(self) -> None:
        predictor = Fake()
        with client_of(predictor, waiting=2, seconds=0.5) as client:
            predictor.may_go_on.clear()
            responses = []
            threads = [
                threading.Thread(target=lambda: responses.append(post(client, photo_bytes(9, 9))))
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            predictor.may_go_on.set()
            assert [one.status_code for one in responses] == [503] * 4
            messages = sorted(one.json()["error"] for one in responses)
            assert sum("no answer in 0.5 s" in one for one in messages) == 2
            assert sum("2 photos are waiting already" in one for one in messages) == 2
            assert all(int(one.headers["retry-after"]) >= 1 for one in responses)
            assert post(client, photo_bytes(9, 9)).status_code == 200

    def test_what_comes_meanwhile_is_a_batch_of_one_size(self) -> None:
        predictor = Fake()
        with client_of(predictor, batch=4) as client:
            predictor.may_go_on.clear()
            widths = [9, 9, 12, 9, 9, 9, 12]
            answers: dict[int, int] = {}

            def ask(number: int) -> None:
                answers[number] = post(client, photo_bytes(widths[number], 9)).json()["width"]

            threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(widths))]
            for thread in threads:
                thread.start()
                time.sleep(0.05)  # so that they come in this order
            predictor.may_go_on.set()
            for thread in threads:
                thread.join()
        assert answers == dict(enumerate(widths))
        widths_of_batches = [[size[1] for size in one] for one in predictor.sizes[1:]]
        assert widths_of_batches == [[9], [9, 9, 9, 9], [12, 12]]

    def test_none_fails_for_another(self) -> None:
        class Picky(Fake):
            def _predict(self, batch):
                found = super()._predict(batch)
                if any(image[0, 0, 0] == 255 for image in batch):
                    raise UserError("too bright")
                return found

        predictor = Picky()
        colours = ("black", "white", "black")
        with client_of(predictor) as client:
            predictor.may_go_on.clear()
            statuses: dict[int, int] = {}

            def ask(number: int) -> None:
                buffer = io.BytesIO()
                Image.new("RGB", (9, 9), colours[number]).save(buffer, "PNG")
                statuses[number] = post(client, buffer.getvalue()).status_code

            threads = [threading.Thread(target=ask, args=(k,)) for k in range(3)]
            for thread in threads:
                thread.start()
                time.sleep(0.05)
            predictor.may_go_on.set()
            for thread in threads:
                thread.join()
        assert statuses == {0: 200, 1: 422, 2: 200}
        assert len(predictor.sizes[2]) == 2


def test_hostile_uploads_are_refused(client) -> None:
    rng = random.Random(0)
    for _ in range(150):
        sent = hostile_upload(rng, max_bytes=Limits().max_bytes)
        content = iter([sent.body]) if sent.is_chunked else sent.body
        headers = {"Content-Type": sent.content_type}
        response = client.post("/predict", content=content, headers=headers)
        assert 400 <= response.status_code < 500, sent.kind
        assert list(response.json()) == ["error"]
    for _ in range(100):
        sent = mutated_upload(rng)
        headers = {"Content-Type": sent.content_type}
        response = client.post("/predict", content=sent.body, headers=headers)
        assert response.status_code == 200 or 400 <= response.status_code < 500
    response = client.post("/predict", content=upload("", image_bytes()).body, headers=headers)
    assert response.status_code == 200


def test_an_upload_that_never_ends() -> None:
    service = Service(Fake(), Limits(seconds=0.2))
    app = create_app(service, describe(Fake(), "last.pth", service.limits))
    sent: list[dict] = []
    parts = iter([upload("", b"").body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"])

    async def receive():
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": next(parts, b"x"), "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=boundary")]
    scope = dict(type="http", method="POST", path="/predict", headers=headers, query_string=b"")
    scope |= dict(http_version="1.1", scheme="http", server=("a", 1), client=("b", 2))
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("name", [*Limits.__dataclass_fields__])
def test_limits_are_above_zero(name: str) -> None:
    with pytest.raises(UserError, match=f"{name}: 0"):
        Limits(**{name: 0})


def test_real_photo_as_a_file_and_as_an_upload(predictor, client, shared_data: Path) -> None:
    path = shared_data / "fruits_nuts/images/0.jpg"
    (expected,) = predictor(path)
    answer = post(client, path.read_bytes(), score=0).json()
    np.testing.assert_allclose(
        [one["box"] for one in answer["objects"]], expected.boxes, atol=0.006
    )
