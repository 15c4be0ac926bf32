"""Checkpoints load as data, whoever wrote them, and code in them never runs."""

import argparse
import builtins
import functools
import http.server
import io
import os
import pickle
import threading
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader, _load_checkpoint
from torch import nn

from vitdet.compat.checkpoint_loading import download_checkpoint, load_checkpoint_file
from vitdet.errors import UserError

WEIGHTS = OrderedDict({"conv.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7)})


class Attack:
    """Unpickling it calls `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def message_hub() -> dict:
    hub = MessageHub("of a test")
    for step in range(5):
        hub.update_scalar("train/loss", 1 / (step + 1))
    hub.update_info("best", np.float32(0.5))
    hub.update_info("confusion", np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)))
    hub.update_info("empty", np.zeros((0, 3)))
    hub.update_info("names", np.array(["a", "bcd"]))
    return hub.state_dict()


def rename_in_pickle(path, old: bytes, new: bytes) -> None:
    """Rewrite the pickle inside a torch.save zip, as another numpy would have written it."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data.replace(old, new) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("numpy_1", [False, True], ids=["numpy2", "numpy1"])
def test_mmengine_checkpoint_comes_back_whole(tmp_path, zip_format, numpy_1):
    path = tmp_path / "epoch_1.pth"
    torch.save(
        {"state_dict": WEIGHTS, "message_hub": message_hub(), "meta": {"epoch": 1}},
        path,
        _use_new_zipfile_serialization=zip_format,
    )
    if numpy_1 and zip_format:
        rename_in_pickle(path, b"numpy._core.multiarray", b"numpy.core.multiarray")
    elif numpy_1:
        path.write_bytes(
            path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        )

    checkpoint = _load_checkpoint(str(path), map_location="cpu", logger="silent")

    assert list(checkpoint["state_dict"]) == list(WEIGHTS)
    assert torch.equal(checkpoint["state_dict"]["conv.weight"], WEIGHTS["conv.weight"])
    history = checkpoint["message_hub"]["log_scalars"]["train/loss"]
    assert type(history) is HistoryBuffer
    np.testing.assert_array_equal(history.data[0], 1 / np.arange(1, 6))
    assert history.statistics("min") == 0.2
    history.update(3.0)
    info = checkpoint["message_hub"]["runtime_info"]
    assert type(info["best"]) is np.float32 and info["best"] == 0.5
    assert type(info["confusion"]) is np.ndarray and info["confusion"].dtype == ">i2"
    np.testing.assert_array_equal(info["confusion"], np.arange(6).reshape(2, 3))
    assert info["empty"].shape == (0, 3)
    assert info["names"].tolist() == ["a", "bcd"]

    resumed = MessageHub("resumed")
    resumed.load_state_dict(checkpoint["message_hub"])
    assert resumed.get_scalar("train/loss").max() == 3.0


def test_harmless_classes_become_data(tmp_path):
    path = tmp_path / "official.pth"
    args = argparse.Namespace(lr=1e-4, nested=np.float64(2))
    torch.save({"model": WEIGHTS, "args": args, "meta": ConfigDict(classes=("a", "b"))}, path)
    checkpoint = load_checkpoint_file(path)
    assert vars(checkpoint["args"]) == {"lr": 1e-4, "nested": 2.0}
    assert type(checkpoint["meta"]) is dict
    assert checkpoint["meta"]["classes"] == ("a", "b")


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (lambda marker: Attack(os.system, f"touch {marker}"), "posix.system"),
        (lambda marker: Attack(builtins.exec, f"open({str(marker)!r}, 'w')"), "exec"),
        (lambda marker: Attack(builtins.open, str(marker), "w"), "open"),
        (lambda marker: Attack(torch.save, {}, str(marker)), "torch.serialization.save"),
        (lambda marker: Attack(getattr, torch.Tensor, "numpy"), "getattr"),
        (lambda marker: Attack(getattr, HistoryBuffer, "__init__"), "getattr"),
        (lambda marker: Attack(getattr, HistoryBuffer, "register_statistics"), "getattr"),
        (lambda marker: Attack(getattr, OrderedDict, "mean"), "getattr"),
        (lambda marker: np.array([Attack(os.system, f"touch {marker}")]), "numpy.dtype"),
        (lambda marker: functools.partial(os.system, f"touch {marker}"), "functools.partial"),
        (lambda marker: torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
    ],
)
def test_code_is_refused_by_every_door(tmp_path, attack, named, zip_format):
    marker = tmp_path / "ran"
    path = tmp_path / "planted.pth"
    torch.save({"x": attack(marker)}, path, _use_new_zipfile_serialization=zip_format)
    for door in (load_checkpoint_file, _load_checkpoint, CheckpointLoader.load_checkpoint):
        with pytest.raises(UserError, match="refused") as caught:
            door(str(path))
        assert named in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_dtype_state_cannot_turn_bytes_into_pointers(tmp_path):
    """In numpy itself this state yields a float64 type that claims to hold Python objects."""

    class ForgedDtype:
        def __reduce__(self):
            return np.dtype, ("f8", False, True), (3, "<", None, None, None, 8, 8, 63)

    class ForgedArray:
        def __reduce__(self):
            return (
                np.empty(0).__reduce__()[0],
                (np.ndarray, (0,), b"b"),
                (1, (1,), ForgedDtype(), False, b"\x08" * 8),
            )

    path = tmp_path / "forged.pth"
    torch.save({"x": ForgedArray()}, path)
    array = load_checkpoint_file(path)["x"]
    assert array.dtype == np.dtype("f8")
    assert not array.dtype.hasobject


def test_allow_list_is_not_left_behind(tmp_path):
    torch.save({"x": message_hub()}, tmp_path / "a.pth")
    load_checkpoint_file(tmp_path / "a.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "a.pth", weights_only=True)


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_truncated_and_garbled_files_get_one_line(tmp_path, zip_format):
    whole = io.BytesIO()
    checkpoint = {"state_dict": WEIGHTS, "message_hub": message_hub()}
    torch.save(checkpoint, whole, _use_new_zipfile_serialization=zip_format)
    data = whole.getvalue()
    path = tmp_path / "bad.pth"
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(data), 60):
        garbled = bytearray(data)
        garbled[position] ^= 0xFF
        for content in (data[:position], bytes(garbled)):
            path.write_bytes(content)
            try:
                load_checkpoint_file(path)
            except UserError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error)
    assert refused >= 60, "every truncated file is refused"


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>Not found</html>", b"\x80\x02."])
def test_what_is_no_checkpoint_gets_one_line(tmp_path, content):
    path = tmp_path / "page.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a checkpoint .*delete it, then download"):
        load_checkpoint_file(path)


def test_endless_name_of_a_class_is_cut(tmp_path):
    path = tmp_path / "hostile.pth"
    path.write_bytes(pickle.PROTO + b"\x02c" + b"[" * 300_000 + b"\nx\n.")
    with pytest.raises(UserError, match="refused") as raised:
        load_checkpoint_file(path)
    assert len(str(raised.value)) < 1000


def test_missing_file_and_bare_tensor_get_one_line(tmp_path):
    with pytest.raises(UserError, match="no such checkpoint file"):
        _load_checkpoint(str(tmp_path / "absent.pth"), logger="silent")
    torch.save(torch.zeros(1), tmp_path / "tensor.pth")
    with pytest.raises(UserError, match="holds a Tensor, not a dict"):
        load_checkpoint_file(tmp_path / "tensor.pth")


def test_config_of_old_files_is_out_of_reach_of_resume(tmp_path):
    """`Runner.resume` executes `meta["config"]` and leaves `meta["cfg"]` alone."""
    torch.save({"meta": {"config": "a = 1", "epoch": 3}}, tmp_path / "old.pth")
    checkpoint = load_checkpoint_file(tmp_path / "old.pth")
    assert checkpoint["meta"] == {"cfg": "a = 1", "epoch": 3}


def test_inferencer_does_not_execute_the_embedded_config(tmp_path):
    from mmengine.infer import BaseInferencer

    marker = tmp_path / "ran"
    path = tmp_path / "planted.pth"
    torch.save({"meta": {"cfg": f"import os\nos.system('touch {marker}')"}}, path)
    with pytest.raises(UserError, match="give them the config file"):
        BaseInferencer._init_model(object(), ConfigDict(), str(path))
    assert not marker.exists()


class Regression(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, inputs, mode="loss"):
        return {"loss": self.layer(torch.stack(inputs)).square().mean()}


def runner(folder, epochs: int, **arguments) -> Runner:
    return Runner(
        model={"type": Regression},
        work_dir=str(folder),
        train_dataloader={
            "dataset": [{"inputs": torch.tensor([1.0, index])} for index in range(4)],
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": 2,
        },
        train_cfg={"by_epoch": True, "max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.1}},
        param_scheduler={"type": "MultiStepLR", "milestones": [1]},
        randomness={"seed": 0},
        default_scope="mmengine",
        experiment_name=str(folder),
        **arguments,
    )


def test_training_resumes_as_if_it_had_not_stopped(tmp_path):
    """The run that continues a file of mmcv's days must not execute the config planted in it."""
    whole = runner(tmp_path / "whole", 2).train()
    marker = tmp_path / "ran"
    checkpoint = load_checkpoint_file(tmp_path / "whole" / "epoch_1.pth")
    checkpoint["meta"]["config"] = f"import os\nos.system('touch {marker}')"
    torch.save(checkpoint, tmp_path / "planted.pth")

    resumed = runner(tmp_path / "resumed", 2, resume=True, load_from=str(tmp_path / "planted.pth"))
    model = resumed.train()
    assert resumed.message_hub.get_scalar("train/loss").data[0].size == 4
    assert torch.equal(model.layer.weight, whole.layer.weight)
    assert not marker.exists()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A local web server over `tmp_path / "www"`, and an empty download cache."""
    root = tmp_path / "www"
    root.mkdir()
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            requests.append(args)

    handler = functools.partial(Handler, directory=str(root))
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    yield root, f"http://127.0.0.1:{httpd.server_port}", requests
    httpd.shutdown()
    httpd.server_close()


def test_url_is_downloaded_once_and_loaded_as_data(server, tmp_path):
    root, address, requests = server
    for name, value in (("a", 1.0), ("b", 2.0)):
        (root / name).mkdir()
        torch.save({"w": torch.tensor(value)}, root / name / "model.pth")
    marker = tmp_path / "ran"
    torch.save({"x": Attack(os.system, f"touch {marker}")}, root / "planted.pth")

    for _ in range(2):
        assert _load_checkpoint(f"{address}/a/model.pth", logger="silent")["w"] == 1
        assert _load_checkpoint(f"{address}/b/model.pth?x=1", logger="silent")["w"] == 2
    assert len(requests) == 2, "one download per address, although both are called model.pth"
    with pytest.raises(UserError, match=r"refused.*posix.system"):
        _load_checkpoint(f"{address}/planted.pth", logger="silent")
    assert not marker.exists()


def test_unreachable_url_gets_one_line(server):
    _root, address, _requests = server
    with pytest.raises(UserError, match=r"absent.pth: cannot be downloaded \(HTTP Error 404"):
        download_checkpoint(f"{address}/absent.pth", progress=False)
    with pytest.raises(UserError, match="cannot be downloaded"):
        download_checkpoint("http://127.0.0.1:9/absent.pth", progress=False)
