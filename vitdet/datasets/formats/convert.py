"""`vitdet convert-data`: a data folder of any known format, written anew in COCO's."""

import sys
from pathlib import Path

from vitdet.datasets.formats.coco_folder import CocoFolder, write_coco_folder
from vitdet.datasets.formats.recognise import read_folder


def convert(source: str | Path, target: str | Path, *, copy_images: bool = False) -> CocoFolder:
    """Read a folder, write it as `write_coco_folder` says, and print what was read and written.

    Raises UserError if `source` cannot be read, if `target` holds anything, or lies within
    `source`.
    """
    folder = read_folder(source)
    written = write_coco_folder(folder, target, copy_images=copy_images)
    written.notes[:0] = folder.notes
    sys.stdout.write(f"{folder.root} is in {folder.format} format\n{written}\n")
    return written
