from pathlib import Path

import pytest

from vitdet.datasets.shapes import CLASSES, generate_shapes

TINY = Path(__file__).with_name("tiny_maskrcnn.py")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO-format folder of 4 + 2 images; some class may be absent from val."""
    return generate_shapes(tmp_path_factory.mktemp("data"), num_train=4, num_val=2, image_size=64)


@pytest.fixture(scope="session")
def classes() -> tuple[str, ...]:
    return CLASSES
