"""The config inside a checkpoint is parsed as data; anything else in it is refused, not run."""

import math
import os

import pytest
import torch
from mmengine import Config

from vitdet.checkpoints.embedded_config import embedded_config, embedded_scope, parse_config
from vitdet.checkpoints.files import read_checkpoint
from vitdet.errors import UserError

VALUES = {
    "default_scope": "mmdet",
    "model": {
        "type": "mmdet.models.MaskRCNN",
        "anchor": {"ratios": [0.5, 1.0, 2.0], "scales": (8,), "empty": (), "none": None},
        "img_scale": [(1333, 640), (1333, 800)],
        "thresholds": {"low": -1, "high": math.inf, "lowest": -math.inf},
    },
    "custom_keys": {"relative_position_bias_table": {"decay_mult": 0.0}, "absolute.pos": 1, 3: "x"},
    "text": "quotes ' and \" and \n a line",
    "flag": True,
}


@pytest.mark.parametrize("formatted", [True, False], ids=["yapf", "raw"])
def test_reads_back_what_mmengine_writes(formatted):
    values = {key: value for key, value in VALUES.items() if key != "text"}
    values["note"] = VALUES["text"]
    text = Config(values, format_python_code=formatted).pretty_text
    assert parse_config(text).to_dict() == values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x = dict(a=1, **{'b.c': (2,)})", {"a": 1, "b.c": (2,)}),
        ("x = dict({'a.b': 1}, c=2)", {"a.b": 1, "c": 2}),
        ("x = float('-inf')", -math.inf),
        ("x = [-1.5e-3, +2]", [-0.0015, 2]),
        ("x = {1, 2}", {1, 2}),
        ("# a comment\nx = 'a' 'b'", "ab"),
    ],
)
def test_literals(text, value):
    assert parse_config(text)["x"] == value


def test_nan():
    assert math.isnan(parse_config("x = nan").x)


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.system('touch {marker}')",
        "__import__('os').system('touch {marker}')",
        "x = __import__('os').system('touch {marker}')",
        "x = dict(a=[open('{marker}', 'w')])",
        "x = dict(**open('{marker}', 'w'))",
        "x = dict(open('{marker}', 'w'))",
        "x = dict([('a', 1)])",
        "x = eval(\"open('{marker}', 'w')\")",
        "x = [open(m, 'w') for m in ['{marker}']]",
        "x = (lambda: open('{marker}', 'w'))()",
        "x = f\"{{open('{marker}', 'w')}}\"",
        "x = -open('{marker}', 'w').fileno()",
        "x = -'a'",
        "x = float(open('{marker}', 'w').fileno())",
        "with open('{marker}', 'w') as x: pass",
        "class X(open('{marker}', 'w')): pass",
        "def f(x=open('{marker}', 'w')): pass",
        "x: open('{marker}', 'w') = 1",
        "x = y = 1",
        "x.y = 1",
        "x, y = 1, 2",
        "x = 1\nx += 1",
        "x = os",
        "x = 2 ** 9999999",
        "x = b\"open('{marker}', 'w')\"",
        "x = ...",
        "x = 1j",
    ],
)
def test_code_is_refused_with_its_line_and_not_run(tmp_path, code):
    marker = tmp_path / "ran"
    text = "a = 1\n" + code.format(marker=marker)
    with pytest.raises(UserError, match=r"line [23] of the config .* is code, not data") as caught:
        parse_config(text)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    [
        "x = (",
        "x = 1\n  y = 2",
        "x = '\0'",
        "x = {[]: 1}",
        "filename = 'reserved'",
        "x = " + "(" * 999,
        "x = " + "-" * 100_000 + "1",
    ],
    ids=str.__len__,
)
def test_what_cannot_be_parsed_gets_one_line(text):
    with pytest.raises(UserError, match="give the config file") as caught:
        parse_config(text)
    assert "\n" not in str(caught.value)


def test_old_and_new_checkpoints_carry_their_config(tmp_path):
    """mmcv 1 kept the text under another key, which `Runner.resume` of mmengine executes."""
    for key in ("cfg", "config"):
        torch.save({"state_dict": {}, "meta": {key: "depth = 4"}}, tmp_path / "a.pth")
        assert embedded_config(read_checkpoint(tmp_path / "a.pth")).depth == 4


@pytest.mark.parametrize("checkpoint", [{"state_dict": {}}, {"meta": {}}, {"meta": {"cfg": None}}])
def test_weights_alone_carry_none(checkpoint):
    with pytest.raises(UserError, match="carries no config"):
        embedded_config(checkpoint)


def test_scope_names_a_known_package():
    assert embedded_scope(Config({"default_scope": "mmseg"})) == "mmseg"
    assert embedded_scope(Config({})) == "mmengine"
    assert (
        embedded_scope(Config({"default_scope": "mine"}), trusted_modules=("mine.models",))
        == "mine"
    )
    with pytest.raises(UserError, match="default_scope='antigravity'"):
        embedded_scope(Config({"default_scope": "antigravity"}))


def test_custom_imports_are_not_imported(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    (tmp_path / "planted_module.py").write_text(f"open({os.fspath(marker)!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    config = parse_config("custom_imports = dict(imports=['planted_module'])")
    assert config.custom_imports == {"imports": ["planted_module"]}
    assert not marker.exists()
