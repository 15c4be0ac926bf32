"""`vitdet check-data`: check a data set, say what was found, write a mended copy and a page."""

import sys
from pathlib import Path

from vitdet.data_check.check import DataCheck
from vitdet.data_check.html import save_page, write_page
from vitdet.data_check.mend import mend
from vitdet.data_check.summary import summary
from vitdet.datasets.formats.coco_folder import refuse_target, write_coco_folder
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


def check_data(
    data: str | Path,
    *,
    mended: str | Path | None = None,
    page: str | Path | None = None,
    with_images: bool = True,
) -> bool:
    """Print what is in a data set and what is wrong with it. Returns whether there are errors.

    Args:
        data: in any format that `read_folder` knows, or a folder of images and label PNGs.
        mended: folder for a mended copy in COCO format.
        page: HTML file to write.
        with_images: open the images too; else only their names are looked up.

    Raises UserError if nothing can be read, or nothing written where it was asked for.
    """
    try:
        folder = read_folder(data)
    except UserError:
        from vitdet.data_check.label_files import holds_label_files  # brings mmseg along

        if not holds_label_files(data):
            raise
        return _check_label_files(data, mended=mended, page=page)
    if mended is not None:
        refuse_target(folder, mended)  # before the images are read, which may take long
    check = DataCheck(folder, reading="pixels" if with_images else "names")
    sys.stdout.write(f"{summary(check)}\n")
    if page is not None:
        write_page(check, page)
        sys.stdout.write(f"page: {page}\n")
    if mended is not None:
        copy = mend(check)
        sys.stdout.write(f"mended copy:\n{write_coco_folder(copy, mended)}\n")
        for finding in DataCheck(copy, reading="names", known=check.files.read).findings:
            if finding.severity == "error":
                sys.stdout.write(f"wrong in it still: {finding.kind} in {finding.split}\n")
    return check.has_errors


def _check_label_files(
    data: str | Path, *, mended: str | Path | None, page: str | Path | None
) -> bool:
    from vitdet.data_check.label_files import LabelFilesCheck

    if mended is not None:
        raise UserError("--fix mends boxes and polygons, no label PNGs: leave it out")
    check = LabelFilesCheck(data)
    sys.stdout.write(f"{check.report}\n")
    if page is not None:
        save_page(check.root, check.parts(), page)
        sys.stdout.write(f"page: {page}\n")
    return bool(check.faults)
