"""All readers that are fuzzed, by name; each is imported when it is asked for."""

from importlib import import_module

from tests.fuzz.reader import Reader

NAMES = (
    "coco", "voc", "yolo", "labelme", "via", "cvat", "data_check", "label_maps", "panoptic",
    "images", "checkpoints", "options", "embedded_config",
)  # fmt: skip


def reader(name: str) -> Reader:
    """The reader that the module of its name defines."""
    return import_module(f"tests.fuzz.{name}").READER
