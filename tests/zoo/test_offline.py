import os
import sys
from types import SimpleNamespace

from mmengine.config import ConfigDict

from vitdet.zoo.offline import drop_weights, stay_offline


def test_every_source_of_weights_goes_and_other_initialisation_stays() -> None:
    model = ConfigDict(
        type="Student",
        pretrained="torchvision://resnet18",
        teacher_ckpt="https://somewhere/teacher.pth",
        init_cfg=[dict(type="Pretrained", checkpoint="a.pth"), dict(type="Xavier", layer="Linear")],
        backbone=dict(type="A", init_cfg=dict(type="Pretrained", checkpoint="b.pth")),
        neck=dict(type="C", init_cfg=dict(checkpoint="https://somewhere/pvt.pth")),
        heads=[dict(type="B", init_cfg=dict(type="Normal", std=0.01))],
    )
    drop_weights(model)
    assert model.pretrained is None and model.teacher_ckpt is None
    assert model.backbone.init_cfg is None and model.neck.init_cfg is None
    assert model.init_cfg == [dict(type="Xavier", layer="Linear")]
    assert model.heads[0].init_cfg == dict(type="Normal", std=0.01)


def test_downloads_fail_at_once(monkeypatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    stay_offline()
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert {"http_proxy", "https_proxy"} <= set(os.environ)


def test_a_hub_imported_before_is_told_too(monkeypatch) -> None:
    hub = SimpleNamespace(HF_HUB_OFFLINE=False)
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", hub)
    stay_offline()
    assert hub.HF_HUB_OFFLINE is True
