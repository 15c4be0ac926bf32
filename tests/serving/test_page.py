"""The page, used in a real browser without a window."""

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image

from vitdet.inference import Prediction, Predictor
from vitdet.serving.app import create_app
from vitdet.serving.attention import Attention
from vitdet.serving.limits import Limits
from vitdet.serving.model import describe
from vitdet.serving.service import Service

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 400, 300
BOXES = np.float32([[40, 40, 160, 160], [200, 60, 360, 260], [20, 200, 120, 280]])


class ThreeThings(Predictor):
    """Finds the same three things in any photo, with the masks of ellipses."""

    class_names = ("ant", "bee", "cat")

    def __new__(cls) -> "ThreeThings":
        return object.__new__(cls)

    def __init__(self) -> None:
        pass

    def _predict(self, batch):
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        x, y = (BOXES[:, :2] + BOXES[:, 2:]).T[:, :, None, None] / 2
        wide, high = (BOXES[:, 2:] - BOXES[:, :2]).T[:, :, None, None] / 2
        masks = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1
        return [
            Prediction(
                BOXES, np.float32([0.9, 0.6, 0.2]), np.array([0, 1, 0]), self.class_names,
                (HEIGHT, WIDTH), masks=masks,
            )
            for _ in batch
        ]  # fmt: skip


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    service = Service(ThreeThings(), Limits(megapixels=1))
    service.layers = ["shallow", "deep"]
    model = describe(ThreeThings(), "<b>last</b>.pth", service.limits)
    app = create_app(service, model.model_copy(update={"layers": service.layers}))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs=dict(sockets=[listener]))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is installed ({', '.join(_BROWSERS)})")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (WIDTH, HEIGHT), "white").save(path)
    return path


@pytest.fixture
def page(browser, address: str):
    page = browser.new_page(viewport=dict(width=1000, height=800))
    page.set_default_timeout(10_000)
    page.faults, page.hosts = [], set()
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("request", lambda request: page.hosts.add(request.url.split("/")[2]))
    page.goto(address)
    yield page
    assert page.faults == []
    assert page.hosts <= {address.split("/")[2], ""}  # the empty one is of data: and blob:
    page.close()


def give(page, file: Path) -> None:
    page.set_input_files("#file", file)
    page.wait_for_selector("#controls:not([hidden])")


def colour_at(page, x: float, y: float) -> tuple[int, ...]:
    """RGB of the canvas at a place of the photo."""
    shares = [x / WIDTH, y / HEIGHT]
    return tuple(
        page.evaluate(
            """([x, y]) => { const canvas = document.getElementById("canvas");
            const at = [x * canvas.width, y * canvas.height].map(Math.round);
            return [...canvas.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 3)]; }""",
            shares,
        )
    )


def test_a_photo_and_what_is_found_in_it(page, photo) -> None:
    page.wait_for_selector("text=<b>last</b>.pth")  # a name is text
    give(page, photo)
    assert page.inner_text("#number") == "2 objects"
    rows = page.locator("#list button").all_inner_texts()
    assert [row.split() for row in rows] == [["ant", "0.90"], ["bee", "0.60"]]
    white = (255, 255, 255)
    assert colour_at(page, 100, 100) != white != colour_at(page, 280, 160)  # inside of masks
    assert colour_at(page, 50, 50) == white  # inside of a box, outside of its mask
    assert colour_at(page, 40, 100) != white  # its edge
    assert colour_at(page, 70, 240) == white  # scored too low
    assert "400\u00d7300 pixels" in page.inner_text("#message")


def test_the_slider_chooses_scores(page, photo) -> None:
    give(page, photo)
    page.fill("#score", "0.1")
    assert page.inner_text("#number") == "3 objects" and page.inner_text("#value") == "0.10"
    assert colour_at(page, 70, 240) != (255, 255, 255)
    page.fill("#score", "0.75")
    assert page.inner_text("#number") == "1 object"
    assert colour_at(page, 280, 160) == (255, 255, 255)


def test_classes_are_hidden_and_shown(page, photo) -> None:
    give(page, photo)
    page.click("#chips button:has-text('ant')")
    assert page.inner_text("#number") == "1 object"
    assert colour_at(page, 100, 100) == (255, 255, 255)
    page.click("#chips button:has-text('ant')")
    assert page.inner_text("#number") == "2 objects"


def test_a_click_chooses_an_object(page, photo) -> None:
    give(page, photo)
    before = colour_at(page, 100, 100)
    area = page.locator("#canvas").bounding_box()
    scale = area["width"] / WIDTH
    page.mouse.click(area["x"] + 280 * scale, area["y"] + 160 * scale)
    assert page.inner_text("#list [aria-pressed=true]").split() == ["bee", "0.60"]
    assert colour_at(page, 100, 100) != before  # the other one is paler
    page.mouse.click(area["x"] + 5, area["y"] + 5)
    assert page.locator("#list [aria-pressed=true]").count() == 0


def test_attention_of_what_is_clicked_on(page, photo, monkeypatch) -> None:
    asked = []

    def attend(predictor, pixels, *, layer, point, box=None):
        asked.append((layer, point, box))
        values = [0] * 12
        values[5] = 255  # the second row's second column of four: from 100, 100 to 200, 200
        return Attention(layer=layer, columns=4, rows=3, token=(1 / 4, 1 / 3), values=values)

    monkeypatch.setattr("vitdet.serving.service.attend", attend)
    give(page, photo)
    page.check("#look")
    page.wait_for_selector("#message:has-text('Click on an object')")
    area = page.locator("#canvas").bounding_box()
    scale = area["width"] / WIDTH
    page.mouse.click(area["x"] + 280 * scale, area["y"] + 160 * scale)
    page.wait_for_selector("#message:has-text('the object attends to in deep')")
    assert asked[-1][0] == "deep" and asked[-1][1] == pytest.approx((280 / WIDTH, 160 / HEIGHT))
    assert asked[-1][2] == pytest.approx((0.5, 0.2, 0.9, 260 / HEIGHT))
    assert sum(colour_at(page, 150, 150)) > 2 * sum(colour_at(page, 50, 250))
    page.select_option("#layer", "shallow")
    page.wait_for_selector("#message:has-text('attends to in shallow')")
    page.mouse.click(area["x"] + 190 * scale, area["y"] + 10 * scale)  # where nothing is
    page.wait_for_selector("#message:has-text('the place attends to in shallow')")
    assert asked[-1][1] == pytest.approx((190 / WIDTH, 10 / HEIGHT), abs=0.01)
    assert asked[-1][2] is None
    page.uncheck("#look")
    assert colour_at(page, 390, 290) == (255, 255, 255)


def test_a_large_photo_is_sent_smaller(page, tmp_path) -> None:
    path = tmp_path / "large.jpg"
    Image.new("RGB", (4096, 800), "white").save(path)
    give(page, path)  # of 0.8 million pixels where it is sent as 2048 x 400
    assert page.inner_text("#number") == "2 objects"


def test_what_is_no_photo(page, photo, tmp_path) -> None:
    (tmp_path / "words.png").write_text("words")
    page.set_input_files("#file", tmp_path / "words.png")
    page.wait_for_selector("#message.bad:has-text('cannot open that file')")
    Image.new("RGB", (1500, 1500)).save(tmp_path / "large.png")
    page.set_input_files("#file", tmp_path / "large.png")
    page.wait_for_selector("#message.bad:has-text('more than 1 million')")
    give(page, photo)
    assert page.locator("#message.bad").count() == 0


def test_on_a_phone(page, photo) -> None:
    page.set_viewport_size(dict(width=360, height=700))
    give(page, photo)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("#canvas").bounding_box()["width"] > 300
    below = page.locator("#threshold").bounding_box()["y"]
    assert below > page.locator("#canvas").bounding_box()["y"] + 200
    assert page.locator("#list button").first.bounding_box()["height"] >= 40


def test_photos_are_dropped(page, photo) -> None:
    page.evaluate(
        """async (data) => {
        const file = new File([Uint8Array.from(data)], "photo.png", { type: "image/png" });
        const transfer = new DataTransfer();
        transfer.items.add(file);
        document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
        }""",
        list(photo.read_bytes()),
    )
    page.wait_for_selector("#controls:not([hidden])")
    assert page.inner_text("#number") == "2 objects"


def test_the_documentation_is_there_without_a_network(browser, address) -> None:
    page = browser.new_page()
    page.goto(f"{address}docs")
    page.wait_for_selector("text=/predict", timeout=10_000)
    page.close()
