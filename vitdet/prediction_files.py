"""What a model finds in image files, as files: drawings, json, PNGs of labels."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from mmengine.logging import print_log

from vitdet.datasets.image_sources import images_of
from vitdet.evaluation.panoptic_results import segments_of_map, write_panoptic_png
from vitdet.inference import Prediction, Predictor


def predict_files(
    checkpoint: str | Path,
    images: Sequence[str | Path],
    *,
    out: str | Path,
    score_threshold: float = 0.3,
    device: str | None = None,
) -> None:
    """Draw what is found in images and write it in files.

    `images` are files, folders, patterns, URLs or videos, as for `Predictor`.

    `out` receives a drawing of each image under its own name and `predictions.json` in COCO's
    format: images, categories, and annotations with a score. Objects below `score_threshold` are
    left out. Of panoptic maps it also receives `panoptic.json` and the PNGs in `panoptic/`. Where
    the model gives nothing but the class of each pixel, in place of json `masks/` receives these
    maps as palette PNG and `classes.txt` what their values mean, as for label files to train on.

    Raises UserError as `Predictor` does, and if there is no image.
    """
    predictor = Predictor(checkpoint, device)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    content: dict[str, list] = {
        "images": [],
        "annotations": [],
        "categories": [
            {"id": number, "name": name} for number, name in enumerate(predictor.class_names, 1)
        ],
    }
    panoptic, has_labels = [], False
    names: set[str] = set()
    for image_id, image in enumerate(images_of(images), 1):
        (prediction,) = predictor(image.image)
        prediction = prediction.filter(score_threshold)
        name = _drawing_name(image.stem, names)
        names.add(name)
        prediction.draw().save(out / name)
        if prediction.is_semantic:
            has_labels = True
            (out / "masks").mkdir(exist_ok=True)
            prediction.semantic_image().save(out / "masks" / name)
        _add_to_coco(content, prediction, image_id=image_id, address=image.address)
        if prediction.panoptic is not None:
            segments = segments_of_map(prediction.panoptic, len(predictor.class_names))
            category_ids = range(1, len(predictor.class_names) + 1)
            panoptic.append(
                write_panoptic_png(
                    out / "panoptic" / name, segments, image_id=image_id, category_ids=category_ids
                )
            )
    if has_labels:
        (out / "classes.txt").write_text("".join(f"{name}\n" for name in predictor.class_names))
        what = f"classes of all pixels in {len(names)} images: drawings, masks/ and classes.txt"
    else:
        (out / "predictions.json").write_text(json.dumps(content))
        number = len(content["annotations"])
        what = f"{number} objects in {len(names)} images: drawings and predictions.json"
    if panoptic:
        for category in content["categories"]:
            category["isthing"] = int(category["name"] in predictor.thing_names)
        (out / "panoptic.json").write_text(json.dumps({**content, "annotations": panoptic}))
        what += ", and panoptic.json"
    print_log(f"{what} are in {out}", logger="current")


def _add_to_coco(
    content: dict[str, list], prediction: Prediction, *, image_id: int, address: str
) -> None:
    """Add an image and its objects to what `predictions.json` will hold, in place."""
    height, width = prediction.image_size
    content["images"].append(
        {"id": image_id, "file_name": address, "height": height, "width": width}
    )
    for entry in prediction.to_coco(image_id=image_id):
        width, height = entry["bbox"][2:]
        entry |= {"id": len(content["annotations"]) + 1, "area": width * height, "iscrowd": 0}
        content["annotations"].append(entry)


def _drawing_name(stem: str, taken: Collection[str]) -> str:
    """A file name for a drawing; images of one name in several folders get numbers."""
    name, number = f"{stem}.png", 2
    while name in taken:
        name, number = f"{stem}_{number}.png", number + 1
    return name
