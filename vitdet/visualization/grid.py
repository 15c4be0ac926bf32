"""Several pictures as one."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_MARGIN = 8  # pixels between pictures
_HEADER = 28  # pixels of the line of titles


def image_grid(
    rows: Sequence[Sequence[Image.Image]],
    *,
    titles: Sequence[str] = (),
    cell_size: tuple[int, int] = (480, 360),
) -> Image.Image:
    """Lay out pictures in rows, each as large as fits into a cell, under a line of titles.

    Args:
        rows: pictures, e.g. one (ground truth, prediction) for each image.
        titles: one for each column, or none.
        cell_size: (width, height) of a cell in pixels.
    """
    num_columns = max([len(titles), *map(len, rows)])
    width, height = cell_size
    header = _HEADER if titles else 0
    sheet = Image.new(
        "RGB",
        (
            num_columns * (width + _MARGIN) + _MARGIN,
            len(rows) * (height + _MARGIN) + _MARGIN + header,
        ),
        "white",
    )
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_HEADER * 2 // 3)
    for column, title in enumerate(titles):
        middle = _MARGIN + column * (width + _MARGIN) + width / 2
        pen.text((middle, _MARGIN / 2 + _HEADER / 2), title, fill="black", font=font, anchor="mm")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            ratio = min(width / picture.width, height / picture.height)
            size = max(1, round(ratio * picture.width)), max(1, round(ratio * picture.height))
            x = _MARGIN + column * (width + _MARGIN) + (width - size[0]) // 2
            y = header + _MARGIN + row * (height + _MARGIN) + (height - size[1]) // 2
            sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), (x, y))
    return sheet
