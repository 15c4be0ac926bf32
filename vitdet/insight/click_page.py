"""A photo to click on, for a page: it shows what the token there attends to, in any layer.

All is computed beforehand and lies inside the page: for each layer, what some places take of the
whole map, as bytes.
"""

import base64
import json
import math
from collections.abc import Mapping

import numpy as np
import torch

from vitdet.errors import UserError
from vitdet.insight.heat import resized
from vitdet.insight.look import Layer
from vitdet.visualization.page import picture, section

_MAX_BYTES = 1 << 20  # of one layer
_SIDE = 640  # pixels of the photo's longer side

_SCRIPT = """<script>
for (const box of document.querySelectorAll('.click:not([data-on])')) {
  box.dataset.on = 1;
  const data = JSON.parse(box.querySelector('script').textContent);
  const canvas = box.querySelector('canvas'), photo = box.querySelector('img');
  const select = box.querySelector('select'), pen = canvas.getContext('2d');
  let point = [0.5, 0.5];
  data.forEach((layer, i) => {
    layer.bytes = Uint8Array.from(atob(layer.maps), c => c.charCodeAt(0));
    select.add(new Option(layer.name, i));
  });
  const draw = () => {
    const layer = data[select.value], [h, w] = layer.grid, at = layer.step;
    canvas.width = photo.naturalWidth; canvas.height = photo.naturalHeight;
    const last = (n) => Math.floor((n - 1) / at);
    const row = Math.min(Math.floor(point[1] * layer.rows / at), last(h));
    const column = Math.min(Math.floor(point[0] * layer.columns / at), last(w));
    const start = (row * (last(w) + 1) + column) * h * w;
    const cell = [canvas.width / layer.columns, canvas.height / layer.rows];
    pen.fillStyle = 'rgba(0,0,0,.55)'; pen.fillRect(0, 0, canvas.width, canvas.height);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      const heat = layer.bytes[start + y * w + x] / 255;
      if (!heat) continue;
      const green = Math.round(60 + 195 * heat), blue = Math.round(200 * heat * heat);
      pen.fillStyle = `rgba(255,${green},${blue},${0.85 * heat})`;
      pen.fillRect(x * cell[0], y * cell[1], cell[0] + .5, cell[1] + .5);
    }
    pen.strokeStyle = '#0ff'; pen.lineWidth = 3; pen.beginPath();
    pen.arc((column + .5) * at * cell[0], (row + .5) * at * cell[1], 8, 0, 7); pen.stroke();
  };
  canvas.onpointerdown = (event) => {
    const place = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    point = [x / place.width, y / place.height];
    draw();
  };
  select.onchange = draw;
  photo.decode().then(draw, draw);
}
</script>"""


def clickable_section(image: np.ndarray, layers: Mapping[str, Layer], *, title: str) -> str:
    """A section of a page.

    Args:
        image: (h, w, 3) uint8 RGB.
        layers: by the names that they are chosen by. Those in which no place of the map asks, such
            as DETR's decoder, are left out.
        title: of the section.
    """
    entries = []
    for name, layer in layers.items():
        try:
            entries.append(_entry(name, layer, image.shape[:2]))
        except UserError:  # no place asks
            continue
    if not entries:
        return ""
    photo = picture(resized(image, _SIDE), title, max_size=(_SIDE, _SIDE))
    content = (
        '<div class="click"><p><select></select> mean of all heads</p>'
        '<div style="position:relative;max-width:640px">'
        f'{photo}<canvas style="position:absolute;inset:0;width:100%;height:100%;cursor:crosshair">'
        "</canvas></div>"
        f'<script type="application/json">{json.dumps(entries)}</script></div>{_SCRIPT}'
    )
    note = "Click on the photo: it shows what the token there attends to."
    return section(title, content, note=note)


def _entry(name: str, layer: Layer, size: tuple[int, int]) -> dict:
    """A layer's maps, of every place or of every `step`-th along both axes."""
    grid = layer.grid
    step = max(math.ceil(grid.num_places / math.sqrt(_MAX_BYTES)), 1)
    maps = [
        _as_bytes(layer.of_place(min(row + step // 2, grid.height - 1), column).mean(0))
        for row in range(0, grid.height, step)
        for column in (
            min(first + step // 2, grid.width - 1) for first in range(0, grid.width, step)
        )
    ]
    return {
        "name": name,
        "grid": [grid.height, grid.width],
        "rows": size[0] / grid.stride,
        "columns": size[1] / grid.stride,
        "step": step,
        "maps": base64.b64encode(b"".join(maps)).decode("ascii"),
    }


def _as_bytes(shares: torch.Tensor) -> bytes:
    """Shares (H, W) over the largest of them; roots, so that weak ones can be seen."""
    relative = (shares / shares.max().clamp(min=1e-12)).clamp(min=0).sqrt()
    return (255 * relative).round().to(torch.uint8).numpy().tobytes()
