"""The generated data set: the same everywhere, as hard as it says, and consistent in itself."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vitdet.datasets import ShapesDataset
from vitdet.datasets.shape_scene import SUBPIXEL, fill_polygon
from vitdet.datasets.shapes import CLASSES, ensure_shapes, generate_shapes
from vitdet.errors import UserError

SIZE = 160


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default data set, whole."""
    return ensure_shapes(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="module", params=["train", "val"])
def split(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def coco(root: Path, split: str) -> dict:
    return json.loads((root / f"{split}.json").read_text())


def _by_image(coco: dict) -> dict[int, list[dict]]:
    things = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        things[annotation["image_id"]].append(annotation)
    return things


def test_annotations_are_those_of_the_published_figures(root: Path) -> None:
    digest = hashlib.sha256()
    for split in ("train", "val"):
        digest.update((root / f"{split}.json").read_bytes())
    assert digest.hexdigest() == "fe4f720aee9440e06242e7ff74a31c5ee123872a26f493dd551963e5487d0dfc"


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "other data"])
def test_where_a_link_leads_is_filled(there: str, tmp_path: Path) -> None:
    disk, link = tmp_path / "disk" / "shapes", tmp_path / "shapes"
    link.symlink_to(disk)
    sizes = dict(num_train=1, num_val=1, image_size=64)
    if there == "an empty folder":
        disk.mkdir(parents=True)
    elif there == "other data":
        ensure_shapes(disk, **sizes, seed=1)
    assert ensure_shapes(link, **sizes) == link and link.is_symlink()
    assert json.loads((disk / "shapes.json").read_text())["seed"] == 0
    assert len(list(disk.glob("images/*/*.jpg"))) == 2
    assert [one.name for one in disk.parent.iterdir()] == ["shapes"]
    before = (disk / "train.json").stat().st_mtime_ns
    ensure_shapes(link, **sizes)
    assert (disk / "train.json").stat().st_mtime_ns == before


def test_another_seed_gives_another_data_set(root: Path, tmp_path: Path) -> None:
    sizes = dict(num_train=2, num_val=2)
    a, b, c = (generate_shapes(tmp_path / str(k), seed=s, **sizes) for k, s in enumerate((0, 0, 1)))
    assert (a / "train.json").read_bytes() == (b / "train.json").read_bytes()
    assert (a / "train.json").read_bytes() != (c / "train.json").read_bytes()
    for image in ("images/train/00001.jpg", "masks/val/00002.png"):
        assert (a / image).read_bytes() == (b / image).read_bytes() == (root / image).read_bytes()


def test_every_image_shows_three_to_eight_things(coco: dict, split: str) -> None:
    assert len(coco["images"]) == {"train": 1000, "val": 100}[split]
    counts = [len(things) for things in _by_image(coco).values()]
    assert (min(counts), max(counts)) == (3, 8)


def test_classes_are_balanced(coco: dict, root: Path) -> None:
    assert [category["name"] for category in coco["categories"]] == list(CLASSES)
    assert (root / "classes.txt").read_text().split() == ["background", *CLASSES]
    ids = [annotation["category_id"] for annotation in coco["annotations"]]
    shares = np.bincount(ids, minlength=len(CLASSES) + 1)[1:] / len(ids)
    assert shares.min() > 0.7 / len(CLASSES)


def test_sides_span_8_to_50_percent_of_the_image(coco: dict) -> None:
    sides = np.array([annotation["bbox"][2:] for annotation in coco["annotations"]]) / SIZE
    assert 0.08 <= sides.min() < 0.1
    assert 0.48 < sides.max() <= 0.5


def test_a_quarter_of_the_things_is_hidden_by_a_fifth_or_more(coco: dict) -> None:
    visibility = np.array([annotation["visibility"] for annotation in coco["annotations"]])
    assert (visibility <= 0.8).mean() >= 0.25
    assert visibility.min() >= 0.3


def test_boxes_areas_and_masks_agree(root: Path, split: str, coco: dict) -> None:
    for image_id, things in _by_image(coco).items():
        masks = coco_mask.decode([thing["segmentation"] for thing in things])  # (H, W, T)
        assert masks.sum(axis=2).max() == 1, "instances share pixels"
        for thing, mask in zip(things, np.moveaxis(masks, 2, 0), strict=True):
            rows, columns = mask.nonzero()
            x, y, width, height = thing["bbox"]
            assert (x, y) == (columns.min(), rows.min())
            assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
            assert thing["area"] == mask.sum()
        semantic = cv2.imread(f"{root}/masks/{split}/{image_id:05d}.png", cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(semantic, masks @ [thing["category_id"] for thing in things])


def test_images_are_there_and_things_can_be_seen(root: Path, split: str, coco: dict) -> None:
    for image in coco["images"]:
        pixels = cv2.imread(f"{root}/images/{split}/{image['file_name']}")
        assert pixels.shape == (image["height"], image["width"], 3) == (SIZE, SIZE, 3)
        assert pixels.std() > 8


def test_polygons_are_filled_exactly() -> None:
    rng = np.random.default_rng(0)
    for num_points in (3, 4, 9):
        points = rng.integers(-100, 40 * SUBPIXEL, (num_points, 2))
        filled = fill_polygon(points, (3, 5, 35, 33))
        for (row, column), inside in np.ndenumerate(filled):
            centre = ((column + 3.5) * SUBPIXEL, (row + 5.5) * SUBPIXEL)
            assert inside == _is_inside(points, centre)


def _is_inside(points: np.ndarray, centre: tuple[float, float]) -> bool:
    """Crossings of a ray to the left, edge by edge."""
    x, y = centre
    is_inside = False
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            is_inside = not is_inside
    return is_inside


def test_ensure_generates_once_and_replaces_what_other_arguments_made(tmp_path: Path) -> None:
    root = ensure_shapes(tmp_path / "new" / "shapes", num_train=2, num_val=1)
    written = (root / "train.json").stat().st_mtime_ns
    assert ensure_shapes(root, num_train=2, num_val=1) == root
    assert (root / "train.json").stat().st_mtime_ns == written
    ensure_shapes(root, num_train=3, num_val=1)
    assert len(list((root / "images" / "train").iterdir())) == 3
    assert [path.name for path in root.parent.iterdir()] == ["shapes"]


def test_ensure_leaves_what_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="move it away"):
        ensure_shapes(tmp_path, num_train=1, num_val=1)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_more_images_to_train_on_come_with_the_same_held_out_ones(
    root: Path, tmp_path: Path
) -> None:
    class FewShapesDataset(ShapesDataset):
        num_train = 3

    FewShapesDataset.prepare(tmp_path / "few")
    assert len(list((tmp_path / "few" / "images" / "train").iterdir())) == 3
    assert (tmp_path / "few" / "val.json").read_bytes() == (root / "val.json").read_bytes()


def test_two_at_once_give_one_whole_data_set(tmp_path: Path) -> None:
    code = (
        "from vitdet.datasets.shapes import ensure_shapes; "
        f"ensure_shapes({str(tmp_path / 'shapes')!r}, num_train=4, num_val=1)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]
    assert len(list((tmp_path / "shapes" / "images" / "train").iterdir())) == 4
