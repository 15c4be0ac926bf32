"""Every published layout is recognised as itself, and as nothing else."""

import json
from pathlib import Path

import pytest
import torch

from vitdet import backbones
from vitdet.checkpoints.families import FAMILIES

REFERENCE = Path(__file__).parents[1] / "reference"
MODELS = {
    "deit": "VisionTransformer",
    "detr": "DETR",
    "focal": "FocalTransformer",
    "pvt": "PyramidVisionTransformer",
    "pvt_v2": "PyramidVisionTransformerV2",
    "sequencer": "Sequencer2D",
    "swin": "SwinTransformer",
    "swinv2": "SwinTransformerV2",
    "tnt": "TNT",
    "vit": "VisionTransformer",
    "yolos": "YOLOS",
}
METAS = {path.stem: json.loads(path.read_text()) for path in sorted(REFERENCE.glob("*.json"))}


@pytest.mark.parametrize(
    "name", [name for name, meta in METAS.items() if meta.get("family") in MODELS]
)
def test_one_layout_recognises_it(name: str) -> None:
    meta = METAS[name]
    state = {entry[0]: torch.empty(entry[1], device="meta") for entry in meta["state_dict"]}
    claims = {
        (model.__name__, layout.name)
        for model, family in FAMILIES.items()
        for layout in family.layouts
        if layout.recognises(state)
    }
    assert len(claims) == 1, claims
    assert claims.pop()[0] == MODELS[meta["family"]]


@pytest.mark.parametrize("model", sorted(set(MODELS.values()) - {"DETR", "YOLOS"}))
def test_our_own_layout_is_recognised(model: str) -> None:
    with torch.device("meta"):
        state = getattr(backbones, model)().state_dict()
    claims = [
        (cls.__name__, layout.name)
        for cls, family in FAMILIES.items()
        for layout in family.layouts
        if layout.recognises(state)
    ]
    assert claims == [(model, "vitdet")]
