"""Text-style configs reach every class of ours as `vitdet.Name`, with nothing imported before."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("MODELS", "SwinTransformer"),
        ("DATASETS", "CocoDataset"),
        ("DATASETS", "ShapesDataset"),
        ("METRICS", "CocoMetric"),
    ],
)
def test_class_is_found_by_its_text_name(registry: str, name: str) -> None:
    code = (
        f"import vitdet; from mmengine.registry import {registry} as r; "
        f"print(r.get('vitdet.{name}').__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == name
