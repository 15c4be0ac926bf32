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

    A row is as high as its highest picture, so wide ones leave no gaps.

    Args:
        rows: pictures, e.g. one (ground truth, prediction) for each image.
        titles: one for each column, or none.
        cell_size: (width, height) in pixels that a picture may have at most.
    """
    fitted = [[_fit(picture, cell_size) for picture in row] for row in rows]
    heights = [max((picture.height for picture in row), default=0) for row in fitted]
    num_columns = max([len(titles), *map(len, rows)])
    step = cell_size[0] + _MARGIN
    y = _MARGIN + (_HEADER if titles else 0)
    size = num_columns * step + _MARGIN, y + sum(heights) + _MARGIN * len(rows)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_HEADER * 2 // 3)
    for column, title in enumerate(titles):
        middle = _MARGIN + column * step + cell_size[0] / 2, (_MARGIN + _HEADER) / 2
        pen.text(middle, title, fill="black", font=font, anchor="mm")
    for row, height in zip(fitted, heights, strict=True):
        for column, picture in enumerate(row):
            x = _MARGIN + column * step + (cell_size[0] - picture.width) // 2
            sheet.paste(picture, (x, y + (height - picture.height) // 2))
        y += height + _MARGIN
    return sheet


def _fit(picture: Image.Image, cell_size: tuple[int, int]) -> Image.Image:
    ratio = min(cell_size[0] / picture.width, cell_size[1] / picture.height)
    size = max(1, round(ratio * picture.width)), max(1, round(ratio * picture.height))
    return picture.resize(size, Image.Resampling.LANCZOS)
