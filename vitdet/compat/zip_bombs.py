"""Zip archives, as `torch.save` and numpy write them, that unpack to far more than they are.

Breaks: torch and numpy unpack whatever an entry claims, gigabytes out of a file of a megabyte.
Delete when both refuse such files.
"""

import zipfile
from pathlib import Path

from vitdet.errors import UserError

_MAX_RATIO = 20  # packed weights come to less than 3, a network of zeros aside
_HARMLESS = 256 << 20


def refuse_bomb(path: Path) -> None:
    """Raise UserError if a zip claims to hold far more than its length; other files pass."""
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # damaged in any way, or no zip: whoever reads it says so
        return
    if claimed > max(_MAX_RATIO * path.stat().st_size, _HARMLESS):
        raise UserError(
            f"{path}: refused, because its {path.stat().st_size} bytes unpack to {claimed}; get it "
            "from who publishes plain weights"
        )
