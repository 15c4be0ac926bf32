"""Text-style configs reach every class of ours as `vitdet.Name`, with nothing imported before."""

import subprocess
import sys
from pathlib import Path

import pytest

import vitdet.registry


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


@pytest.mark.parametrize(
    ("registry", "package"),
    [("DATASETS", "datasets"), ("TRANSFORMS", "datasets"), ("METRICS", "evaluation")],
)
def test_every_file_that_registers_a_class_is_among_the_locations(registry, package) -> None:
    files = [
        f"vitdet.{package}.{path.stem}"
        for path in (Path(vitdet.__file__).parent / package).glob("*.py")
        if f"@{registry}.register_module" in path.read_text()
    ]
    assert sorted(getattr(vitdet.registry, registry)._locations) == sorted(files)
