"""What a checkpoint's config may build: parts of models and transforms, and nothing else."""

import sys

import pytest
import torch
from mmdet.models import MaskRCNN
from mmengine import Config
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope
from torch import nn

from vitdet.checkpoints.buildable import MODEL, TRANSFORM, check_buildable
from vitdet.checkpoints.embedded_config import embedded_model, embedded_test_pipeline, parse_config
from vitdet.errors import UserError


def check(node, kind=MODEL, **kwargs):
    return check_buildable(
        ConfigDict(x=node), kind, where="model", scope=kwargs.pop("scope", "mmengine"), **kwargs
    )["x"]


def test_short_names_stay_and_dotted_names_become_the_class():
    node = check(
        {
            "type": "torch.nn.modules.conv.Conv2d",
            "norm_cfg": {"type": "BN", "requires_grad": True},
            "parts": [{"type": "torch.nn.GELU"}, ({"type": "BaseDataPreprocessor"},)],
        }
    )
    assert node["type"] is nn.Conv2d
    assert node["norm_cfg"] == {"type": "BN", "requires_grad": True}
    assert node["parts"][0]["type"] is nn.GELU
    assert node["parts"][1][0]["type"] == "BaseDataPreprocessor"
    node = check(
        {"type": "mmcv.transforms.LoadImageFromFile", "x": [{"type": "Resize"}]}, TRANSFORM
    )
    assert TRANSFORMS.build({"type": node["type"]}).imdecode_backend == "cv2"


def test_other_weights_are_dropped_everywhere():
    node = check(
        {
            "type": "torch.nn.GELU",
            "init_cfg": {"type": "Pretrained", "checkpoint": "http://planted.example/x.pth"},
            "parts": [{"pretrained": "torchvision://resnet50", "init_cfg": {"type": "os.system"}}],
        }
    )
    assert node == {"type": nn.GELU, "parts": [{}]}


ATTACKS = [
    {"type": "os.system", "command": "touch ran"},
    {"type": "posix.system"},
    {"type": "subprocess.Popen", "args": ["touch", "ran"]},
    {"type": "builtins.eval"},
    {"type": "torch.load"},
    {"type": "torch.hub.load"},
    {"type": "torch.os.system"},
    {"type": "torch.nn.modules.module.torch.load"},
    {"type": "torch.nn.modules.module.OrderedDict"},
    {"type": "torch.nn.functional.relu"},
    {"type": "torch.nn._reduction.torch"},
    {"type": "torch.optim.SGD"},
    {"type": "torch.jit.ScriptModule"},
    {"type": "mmengine.load"},
    {"type": "mmengine.Config.fromfile"},
    {"type": "mmengine.config.Config"},
    {"type": "mmengine.utils.package_utils.call_command", "cmd": ["touch", "ran"]},
    {"type": "mmengine.utils.package_utils.subprocess.check_call"},
    {"type": "mmengine.runner.Runner"},
    {"type": "mmengine.hooks.CheckpointHook"},
    {"type": "mmengine.model.base_model.base_model.nn.Module.__init__.__globals__"},
    {"type": "planted_module.X"},
    {"type": "planted_module"},
    {"type": "mmengine.planted_module.X"},
    {"type": "NoSuchModel"},
    {"type": ""},
    {"type": "."},
    {"type": ["os.system"]},
    {"type": None},
    {"type": {"type": "os.system"}},
    {"_scope_": "planted_module", "type": "BN"},
    {"_scope_": ["planted_module"], "type": "BN"},
    # mmcv evaluates the type of nms; mmdet evaluates warp_mode, unpickles class_weight and reads
    # teacher_config; RandomChoiceResize builds its resize_type.
    {"nms": {"type": "__import__('os').system('touch ran')"}},
    {"nms": {"type": "exec"}},
    {"warp_mode": "__import__('os').system('touch ran')"},
    {"class_weight": "https://planted.example/weights.pkl"},
    {"class_weight": "weights.pkl"},
    {"teacher_config": "planted_config.py"},
    {"resize_type": "os.system", "resize_kwargs": {"command": "touch"}},
    {"resize_type": "subprocess.Popen"},
    {"resize_type": "_posixsubprocess.fork_exec"},
    {"resize_type": "__main__.main"},
    {"resize_type": "torch.load"},
    {"warp_mode": b"__import__('os').system('touch ran')"},
    {"warp_modes": {"__import__('os').system('touch ran')"}},
    {"warp_mode": compile("1", "", "eval")},
]


@pytest.mark.parametrize("kind", [MODEL, TRANSFORM], ids=lambda kind: kind.name)
@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_attacks_are_refused_wherever_they_hide(tmp_path, monkeypatch, attack, kind):
    marker = tmp_path / "ran"
    (tmp_path / "planted_module.py").write_text("open('ran', 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    good = {MODEL: "torch.nn.GELU", TRANSFORM: "mmcv.transforms.Resize"}[kind]
    hidden = {"type": good, "parts": ({"a": [attack]},)}
    for node in (attack, hidden, [hidden], {"train_cfg": hidden}):
        with pytest.raises(UserError, match=r"^model\.x") as caught:
            check(node, kind)
        assert "\n" not in str(caught.value)
    assert not marker.exists()
    assert "planted_module" not in sys.modules


def test_a_part_of_another_kind_is_refused():
    for name in ("LoadImageFromFile", "mmcv.transforms.LoadImageFromFile"):
        assert check({"type": name}, TRANSFORM)
        with pytest.raises(UserError, match="is not a part of a model"):
            check({"type": name}, MODEL)
    for name in ("BN", "torch.nn.GELU"):
        assert check({"type": name}, MODEL)
        with pytest.raises(UserError, match="is not a transform"):
            check({"type": name}, TRANSFORM)


def test_planted_attack_does_run_in_mmengine_itself(tmp_path):
    """The check is worth something: this is what it stands between."""
    marker = tmp_path / "ran"
    MODELS.build({"type": "os.system", "command": f"touch {marker}"})
    assert marker.exists()


def test_plain_arguments_pass():
    arguments = {
        "mode": "bilinear",
        "model_name": "swin_tiny_patch4_window7_224.ms_in1k",
        "imdecode_backend": "cv2",
        "angle_version": "le90",
        "meta_keys": ("img_id", "img_path"),
        "text": "cat . dog",
        "sentence": "a cat. and...",
        "dots": [".", "...", ".x", ""],
        "set": {1, "x"},
        "weights": [1.0, None, True],
        "nms": {"type": "nms", "iou_threshold": 0.7},
        "nms_cfg": {"type": "mmcv.ops.nms.soft_nms"},
        "resize_type": "mmcv.transforms.Resize",
    }
    node = check(arguments, TRANSFORM)
    assert node.pop("nms_cfg") == {"type": "soft_nms"}
    del arguments["nms_cfg"]
    assert node == arguments


def test_modules_that_the_user_names_are_trusted(tmp_path, monkeypatch):
    (tmp_path / "my_parts.py").write_text(
        "import os, torch\nclass Mine(torch.nn.Module): pass\nclass Other: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="name its module as trusted"):
        check({"type": "my_parts.Mine"})
    assert "my_parts" not in sys.modules
    node = check({"type": "my_parts.Mine"}, trusted_modules=("my_parts",))
    assert issubclass(node["type"], nn.Module)
    for name in ("my_parts.Other", "my_parts.os.system", "my_parts.torch.load", "my_parts.missing"):
        with pytest.raises(UserError):
            check({"type": name}, trusted_modules=("my_parts",))
    del sys.modules["my_parts"]


def test_a_registered_function_is_not_a_class(monkeypatch):
    monkeypatch.setitem(MODELS.module_dict, "run_me", lambda: None)
    with pytest.raises(UserError, match="'run_me'"):
        check({"type": "run_me"})


def test_mask_rcnn_of_mmdet_passes_and_builds(tmp_path):
    bases = ["models/mask-rcnn_r50_fpn.py", "datasets/coco_instance.py", "default_runtime.py"]
    (tmp_path / "a.py").write_text(f"_base_ = {[f'mmdet::_base_/{base}' for base in bases]}")
    original = Config.fromfile(tmp_path / "a.py")
    config = parse_config(original.pretty_text)

    model = embedded_model(config)
    assert original.model.backbone.init_cfg.type == "Pretrained"
    assert "init_cfg" not in model.backbone
    with DefaultScope.overwrite_default_scope("mmdet"), torch.device("meta"):
        assert isinstance(MODELS.build(model), MaskRCNN)
    assert embedded_test_pipeline(config) == original.test_dataloader.dataset.pipeline

    config.model = {"type": "CocoDataset"}
    with pytest.raises(UserError, match=r"model\.type='CocoDataset'"):
        embedded_model(config)


def test_config_without_model_or_data_gets_one_line():
    with pytest.raises(UserError, match="has no model"):
        embedded_model(Config({}))
    with pytest.raises(UserError, match="has no test data"):
        embedded_test_pipeline(Config({"test_dataloader": None, "val_dataloader": {}}))


def test_pipeline_is_found_inside_wrapped_data_sets():
    resize = {"type": "mmcv.transforms.Resize", "scale": (4, 4)}
    for dataset in ({"pipeline": [resize]}, {"datasets": [{"dataset": {"pipeline": [resize]}}]}):
        (step,) = embedded_test_pipeline(Config({"val_dataloader": {"dataset": dataset}}))
        assert TRANSFORMS.build(step).scale == (4, 4)
