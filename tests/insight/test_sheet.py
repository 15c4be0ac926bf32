"""Sheets of pictures."""

from pathlib import Path

import pytest
from PIL import Image

from vitdet.errors import UserError
from vitdet.insight.sheet import Group, Panel, draw_sheet, write_sheet

RED = Image.new("RGB", (60, 40), (255, 0, 0))
GROUPS = [
    Group("first", [Panel(RED, "a <b> & a caption of many words")] * 3),
    Group("", [Panel(RED, "b")]),
]


def test_rows_and_columns() -> None:
    sheet = draw_sheet(GROUPS, columns=2)
    wide = draw_sheet(GROUPS, columns=3)
    assert wide.width == sheet.width + 70
    assert sheet.height > wide.height
    for one in (sheet, wide):
        colours = dict((colour, count) for count, colour in one.getcolors(1 << 16))
        assert colours[(255, 0, 0)] == 4 * 60 * 40  # no picture hides another, or is cut


def test_page_is_self_contained_and_escaped(tmp_path: Path) -> None:
    out, html = tmp_path / "new" / "sheet.png", tmp_path / "sheet.html"
    files = write_sheet(GROUPS, title="T <1>", note="n", columns=2, out=out, html=html)
    assert files == [out, html]
    assert Image.open(out).size == draw_sheet(GROUPS, columns=2).size
    text = html.read_text()
    assert text.count("data:image/jpeg;base64,") == 4
    assert "a &lt;b&gt; &amp; a caption" in text
    assert "T &lt;1&gt;" in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(out="sheet.gif", html=None), "end in .png"),
        (dict(out=None, html="sheet.txt"), "end in .html"),
        (dict(out="folder.png", html=None), "is a folder"),
        (dict(out="file/sheet.png", html=None), "name another file"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, options: dict, message: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    options = {key: name and tmp_path / name for key, name in options.items()}
    with pytest.raises(UserError, match=message):
        write_sheet(GROUPS, title="t", note="", columns=2, **options)


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to draw"):
        write_sheet([], title="t", note="", columns=2, out=tmp_path / "a.png", html=None)
