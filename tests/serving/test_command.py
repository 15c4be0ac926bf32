"""The command in a process of its own."""

import signal
import socket
import threading
from pathlib import Path

import httpx2
import pytest

from tests.fuzz.image_samples import image_bytes
from tests.serving.constant_model import save_constant_model
from tests.serving.running_service import running_service
from vitdet.cli import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return save_constant_model(tmp_path_factory.mktemp("run") / "model.onnx")


def test_it_answers_and_stops_in_order(checkpoint, tmp_path) -> None:
    with running_service(checkpoint, errors=tmp_path / "errors") as (process, address):
        libraries = Path(f"/proc/{process.pid}/maps")
        assert not libraries.exists() or "libtorch" not in libraries.read_text()
        assert httpx2.get(f"{address}/health").json()["status"] == "ok"
        statuses: list[int] = []

        def ask() -> None:
            # Sent in pieces, so that it is not whole when the signal comes.
            content = image_bytes()
            form = {"image": ("photo.jpg", content)}
            request = httpx2.Request("POST", f"{address}/predict", files=form)
            body = request.read()

            def pieces():
                yield body[:100]
                has_begun.set()
                has_been_told.wait(10)
                yield body[100:]

            headers = {"Content-Type": request.headers["Content-Type"]}
            response = httpx2.post(f"{address}/predict", content=pieces(), headers=headers)
            statuses.append(response.status_code)

        has_begun, has_been_told = threading.Event(), threading.Event()
        thread = threading.Thread(target=ask)
        thread.start()
        has_begun.wait(10)
        while not httpx2.get(f"{address}/health").json()["waiting"]:
            pass
        process.send_signal(signal.SIGTERM)
        has_been_told.set()
        thread.join(20)
        assert statuses == [200]
        assert process.wait(20) == 0
        assert process.stdout.read().endswith("stopped\n")
    assert (tmp_path / "errors").read_text() == ""


class TestMistakes:
    def error_of(self, capsys, *words: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["serve", *map(str, words)])
        assert ended.value.code == 2
        return capsys.readouterr().err

    def test_a_port_that_is_taken(self, checkpoint, capsys) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            message = self.error_of(capsys, checkpoint, "--port", port)
        assert f"port {port} of 127.0.0.1 cannot be listened at" in message

    @pytest.mark.parametrize("words", [["--port", "99999"], ["--host", "no.such.host.invalid"]])
    def test_an_address_that_is_none(self, words, checkpoint, capsys) -> None:
        assert "cannot be listened at" in self.error_of(capsys, checkpoint, *words)

    def test_no_limit(self, checkpoint, capsys) -> None:
        assert "above 0" in self.error_of(capsys, checkpoint, "--batch", 0)

    def test_a_checkpoint_that_is_missing(self, capsys) -> None:
        assert "nowhere.onnx" in self.error_of(capsys, "nowhere.onnx", "--port", 0)
