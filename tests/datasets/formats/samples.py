"""The same scenes written in each format, by writers that know nothing of the readers."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

CLASSES = ["cat", "big dog", "Ähre & Öl"]


@dataclass
class Thing:
    label: str
    box: tuple[float, float, float, float]  # x1, y1, x2, y2
    polygon: list[float] | None = None


@dataclass
class Scene:
    name: str  # without ending
    size: tuple[int, int]
    things: list[Thing] = field(default_factory=list)


def random_scenes(seed: int, *, count: int = 4, polygons: bool = False) -> list[Scene]:
    """Boxes with whole corners, at least one; a polygon has its box's corners among its own."""
    rng = np.random.default_rng(seed)
    scenes = []
    for number in range(count):
        width, height = (int(side) for side in rng.integers(20, 90, 2))
        scene = Scene(f"photo {number}", (width, height))
        for _ in range(rng.integers(1, 5)):
            x1, y1 = int(rng.integers(1, width - 5)), int(rng.integers(1, height - 5))
            x2 = int(rng.integers(x1 + 2, width + 1))
            y2 = int(rng.integers(y1 + 2, height + 1))
            outline = [x1, y1, x2, y1 + 1, x2 - 1, y2] if polygons else None
            label = CLASSES[int(rng.integers(len(CLASSES)))]
            scene.things.append(Thing(label, (x1, y1, x2, y2), outline))
        scenes.append(scene)
    return scenes


def write_images(folder: Path, scenes: list[Scene], *, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        Image.new("RGB", scene.size, (90, 120, 30)).save(folder / f"{scene.name}{suffix}")


def write_coco(root: Path, scenes: list[Scene]) -> None:
    write_images(root / "images", scenes)
    images, annotations = [], []
    for number, scene in enumerate(scenes):
        width, height = scene.size
        images.append(
            {"id": number, "file_name": f"{scene.name}.png", "width": width, "height": height}
        )
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": CLASSES.index(thing.label) + 5,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": 0,
                    **({"segmentation": [thing.polygon]} if thing.polygon else {}),
                }
            )
    categories = [{"id": k, "name": name} for k, name in enumerate(CLASSES, start=5)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "instances.json").write_text(json.dumps(content))


def voc_text(scene: Scene, *, first: int = 1) -> str:
    """`first` is the number of the first pixel: 1 as in VOC, last pixel included, or 0."""
    objects = "".join(
        f"<object><name>{escape(thing.label)}</name><bndbox><xmin>{thing.box[0] + first}</xmin>"
        f"<ymin>{thing.box[1] + first}</ymin><xmax>{thing.box[2]}</xmax><ymax>{thing.box[3]}</ymax>"
        "</bndbox></object>"
        for thing in scene.things
    )
    return (
        f"<annotation><filename>{scene.name}.png</filename><size><width>{scene.size[0]}</width>"
        f"<height>{scene.size[1]}</height><depth>3</depth></size>{objects}</annotation>"
    )


def write_voc(root: Path, scenes: list[Scene]) -> None:
    write_images(root / "JPEGImages", scenes)
    (root / "Annotations").mkdir()
    for scene in scenes:
        (root / "Annotations" / f"{scene.name}.xml").write_text(voc_text(scene), encoding="utf-8")


def yolo_text(scene: Scene) -> str:
    (width, height), lines = scene.size, []
    for thing in scene.things:
        x1, y1, x2, y2 = thing.box
        values = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height]
        values += [(x2 - x1) / width, (y2 - y1) / height]
        if thing.polygon:
            pairs = zip(thing.polygon[::2], thing.polygon[1::2], strict=True)
            values = [share for x, y in pairs for share in (x / width, y / height)]
        lines.append(f"{CLASSES.index(thing.label)} {' '.join(map(str, values))}")
    return "\n".join(lines)


def write_yolo(root: Path, scenes: list[Scene]) -> None:
    write_images(root / "images", scenes)
    (root / "labels").mkdir()
    (root / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    for scene in scenes:
        (root / "labels" / f"{scene.name}.txt").write_text(yolo_text(scene))


def labelme_content(scene: Scene) -> dict:
    shapes = []
    for thing in scene.things:
        x1, y1, x2, y2 = thing.box
        shape = {"label": thing.label, "shape_type": "rectangle", "points": [[x2, y1], [x1, y2]]}
        if thing.polygon:
            pairs = zip(thing.polygon[::2], thing.polygon[1::2], strict=True)
            shape.update(shape_type="polygon", points=[list(pair) for pair in pairs])
        shapes.append({**shape, "group_id": None, "flags": {}})
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": f"{scene.name}.png",
        "imageData": None,
        "imageHeight": scene.size[1],
        "imageWidth": scene.size[0],
    }


def write_labelme(root: Path, scenes: list[Scene]) -> None:
    write_images(root, scenes)
    for scene in scenes:
        (root / f"{scene.name}.json").write_text(json.dumps(labelme_content(scene)))


def via_regions(scene: Scene) -> list[dict]:
    regions = []
    for thing in scene.things:
        x1, y1, x2, y2 = thing.box
        shape = {"name": "rect", "x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}
        if thing.polygon:
            xs, ys = thing.polygon[::2], thing.polygon[1::2]
            shape = {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
        regions.append({"shape_attributes": shape, "region_attributes": {"kind": thing.label}})
    return regions


def via_content(scenes: list[Scene]) -> dict:
    return {
        f"{scene.name}.png123": {
            "filename": f"{scene.name}.png",
            "size": 123,
            "regions": via_regions(scene),
            "file_attributes": {},
        }
        for scene in scenes
    }


def write_via(root: Path, scenes: list[Scene]) -> None:
    write_images(root, scenes)
    (root / "via_region_data.json").write_text(json.dumps(via_content(scenes)))


def write_via_csv(root: Path, scenes: list[Scene]) -> None:
    write_images(root / "img", scenes)
    lines = [
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes"
    ]
    for scene in scenes:
        regions = via_regions(scene)
        for number, region in enumerate(regions):
            cells = [json.dumps(region[f"{key}_attributes"]) for key in ("shape", "region")]
            quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
            lines.append(f'{scene.name}.png,123,"{{}}",{len(regions)},{number},{quoted}')
    (root / "via.csv").write_text("\r\n".join(lines) + "\r\n")


def cvat_text(scenes: list[Scene]) -> str:
    images = ""
    for number, scene in enumerate(scenes):
        width, height = scene.size
        shapes = ""
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            label = f'label="{escape(thing.label)}" occluded="0"'
            if thing.polygon:
                pairs = zip(thing.polygon[::2], thing.polygon[1::2], strict=True)
                points = ";".join(f"{x},{y}" for x, y in pairs)
                shapes += f'<polygon {label} points="{points}" z_order="0"/>'
            else:
                shapes += f'<box {label} xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"/>'
        name = f'name="{scene.name}.png" width="{width}" height="{height}"'
        images += f'<image id="{number}" {name}>{shapes}</image>'
    labels = "".join(f"<label><name>{escape(name)}</name></label>" for name in CLASSES)
    meta = f"<meta><task><labels>{labels}</labels></task></meta>"
    return f'<?xml version="1.0" encoding="utf-8"?><annotations>{meta}{images}</annotations>'


def write_cvat(root: Path, scenes: list[Scene]) -> None:
    write_images(root / "images", scenes)
    (root / "annotations.xml").write_text(cvat_text(scenes), encoding="utf-8")


WRITERS = {
    "COCO": write_coco,
    "Pascal VOC": write_voc,
    "YOLO": write_yolo,
    "LabelMe": write_labelme,
    "VIA": write_via,
    "VIA csv": write_via_csv,
    "CVAT": write_cvat,
}
