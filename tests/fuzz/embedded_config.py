"""The text of the config inside a checkpoint, up to what is handed to a registry's `build`."""

import random
from pathlib import Path
from typing import Any

import mmdet.datasets.transforms
import mmdet.models  # noqa: F401  what is checked would import both, which takes seconds
from mmengine.config import Config

from tests.fuzz.hostile_values import TEXTS, VALUES
from tests.fuzz.mutation import mutated_bytes, mutated_tree
from tests.fuzz.reader import Hostile, Reader
from vitdet.checkpoints.embedded_config import (
    embedded_config,
    embedded_model,
    embedded_test_pipeline,
)

_VALUES = [
    *VALUES, "os.system", "mmdet.models.MaskRCNN", "mmdet.nothing.X", "builtins.eval", "nms",
    "a.pkl", "https://x/y.pth", "torch.nn.Module", "torchvision.ops.nms", "mmcv.ops._x", "this",
    "antigravity", "os", "sys.modules", "__main__", "vitdet.cli.main", "mmdet..x", ".x", "x.",
]  # fmt: skip


def sample() -> dict[str, Any]:
    head = dict(type="Shared2FCBBoxHead", num_classes=3, loss_cls=dict(type="CrossEntropyLoss"))
    model = dict(
        type="MaskRCNN",
        data_preprocessor=dict(type="DetDataPreprocessor", mean=[1.0, 2.0, 3.0], std=[1, 1, 1]),
        backbone=dict(type="mmdet.models.ResNet", depth=50, init_cfg=dict(checkpoint="x.pth")),
        roi_head=dict(type="StandardRoIHead", bbox_head=head, _scope_="mmdet"),
        test_cfg=dict(rcnn=dict(nms=dict(type="nms", iou_threshold=0.5), score_thr=0.05)),
    )
    pipeline = [dict(type="LoadImageFromFile"), dict(type="Resize", scale=(100, 60))]
    loader = dict(batch_size=1, dataset=dict(type="CocoDataset", pipeline=pipeline))
    return dict(default_scope="mmdet", model=model, test_dataloader=loader)


_SOUND = Config(sample(), format_python_code=False).pretty_text


def _text(values: Any) -> str:
    """Literals as mmengine writes them."""
    return "".join(f"{key} = {value!r}\n" for key, value in values.items())


def write(folder: Path, rng: random.Random) -> dict[str, Any]:
    chance = rng.random()
    if chance < 0.6:
        return _checkpoint(_text(mutated_tree(sample(), rng, values=_VALUES)))
    damaged = mutated_bytes(_SOUND.encode(), rng).decode("utf-8", "surrogateescape")
    if chance < 0.9:
        return _checkpoint(damaged)
    return mutated_tree(_checkpoint(_SOUND), rng)


def _checkpoint(text: Any) -> dict[str, Any]:
    return {"meta": {"cfg": text}, "state_dict": {}}


def _config(text: str) -> Hostile:
    return lambda folder: _checkpoint(text)


def _changed(**values: Any) -> Hostile:
    return _config(_text({**sample(), **values}))


HOSTILE: list[Hostile] = [
    lambda folder: {}, lambda folder: {"meta": None}, lambda folder: {"meta": {"cfg": 3}},
    *(_config(text) for text in TEXTS),
    *(_config(f"model = {inner}") for inner in (
        "[" * 100_000, "[" * 150 + "]" * 150, "dict(a=" * 60 + "1" + ")" * 60, "-" * 100_000 + "1",
        "-" * 500 + "1", "1" + "+1" * 100_000, "1" + "+1" * 500, "(" * 90 + ")" * 90, "~~1",
        "a" + ".a" * 50_000, "a" + "()" * 50_000, "'a'" * 100_000, "9" * 10_000, "1e999", "-nan",
        "10" + "**10" * 9, "'a' * 10**10", "{[]: 1}", "{{}: 1}", "{1: 2, **{3: 4}}", "dict(**3)",
        "dict(3)", "dict([(1, 2)])", "float('x')", f"float('{'x' * 100_000}')", "float('1' '2')",
        "f'{1}'", "b'a'", "...", "1j", "lambda: 0", "[x for x in 1]", "not 1", "1 if 1 else 1",
        "None", "True", "inf", "-inf", "print('x')", "dict(type=os.system)", "*a", "(yield)",
        "dict(a=1, a=2)", "{'a': 1, 'a': 2}", "dict(type='A', **dict(type='B'))", "x := 1",
    )),
    *(_config(f"{name} = 1\n{_SOUND}") for name in
      ("filename", "text", "env_variables", "_base_", "pop", "get", "keys", "__class__", "del_")),
    _config("x = 1; " * 50_000), _config("x = 1\n" * 100_000), _config("x, y = 1, 2"),
    _config("x = y = 1"), _config("x.y = 1"), _config("x[0] = 1"), _config("x: int = 1"),
    _config("import os"), _config("del x"), _config("\f\n\\\n"), _config("x = (\n" * 5000),
    *(_changed(model=value) for value in VALUES),
    *(_changed(default_scope=value) for value in VALUES),
    *(_changed(test_dataloader=value) for value in VALUES),
    *(_changed(test_dataloader={"dataset": value}) for value in VALUES),
    *(_changed(test_dataloader={"dataset": {"datasets": value}}) for value in VALUES),
    *(_changed(test_dataloader={"dataset": {"pipeline": value}}) for value in VALUES),
    *(_changed(model={"type": value}) for value in _VALUES),
    *(_changed(model={"type": "MaskRCNN", "backbone": value}) for value in _VALUES),
    *(_changed(model={"type": "MaskRCNN", "_scope_": value}) for value in _VALUES),
]  # fmt: skip


def read(checkpoint: dict[str, Any]) -> None:
    config = embedded_config(checkpoint)
    embedded_model(config)
    embedded_test_pipeline(config)


READER = Reader("embedded_config", write, read, HOSTILE)
