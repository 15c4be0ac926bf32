from pathlib import Path

import pytest
from PIL import Image

from vitdet.datasets.formats import labelled_image
from vitdet.datasets.formats.labelled_image import LabelledImage, fill_sizes


def test_each_file_is_opened_once_for_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    opened = []

    def image_size(path: Path) -> tuple[int, int] | str:
        opened.append(path.name)
        return real(path)

    real = labelled_image.image_size
    monkeypatch.setattr(labelled_image, "image_size", image_size)
    known = LabelledImage("b.png", width=9, height=9)
    first, again, missing = (LabelledImage(name) for name in ("a.png", "a.png", "c.png"))
    nameless = LabelledImage("", problem="has no name")
    fill_sizes(tmp_path, [known, first, again, missing, nameless])
    assert sorted(opened) == ["a.png", "c.png"]
    assert [(one.width, one.height) for one in (known, first, again)] == [(9, 9), (4, 3), (4, 3)]
    assert missing.problem == "has no image" and nameless.problem == "has no name"
