"""The check of a data set: what is in it, and everything found to be wrong."""

from collections.abc import Iterator, Mapping

import numpy as np

from vitdet.data_check.check_boxes import check_boxes
from vitdet.data_check.check_categories import check_categories
from vitdet.data_check.check_entries import check_entries
from vitdet.data_check.check_files import ImageFiles, Reading, check_files
from vitdet.data_check.check_masks import check_masks
from vitdet.data_check.check_splits import check_splits
from vitdet.data_check.columns import Columns
from vitdet.data_check.faults import FAULTS
from vitdet.data_check.finding import SEVERITIES, Finding
from vitdet.data_check.image_files import ImageFile
from vitdet.datasets.formats.data_folder import DataFolder


class DataCheck:
    """A data folder, its columns, and what was found in it.

    Attributes:
        folder: what was checked.
        splits: the columns of each split.
        files: its image files.
        findings: errors first; of one severity in the order of `FAULTS`.
    """

    def __init__(
        self,
        folder: DataFolder,
        *,
        reading: Reading = "pixels",
        known: Mapping[str, ImageFile] | None = None,
    ) -> None:
        """Check `folder`.

        Args:
            folder: all splits; not changed.
            reading: of images: their names only; in brief the pixels of up to 1,000 and the heads
                of up to 2,000; or all pixels.
            known: what was read of image files before, by path.
        """
        self.folder = folder
        self.splits = {name: Columns(split, folder.root) for name, split in folder.splits.items()}
        self.files = ImageFiles(self.splits, reading, known or {})
        for columns in self.splits.values():
            columns.take_sizes(self.files.true_sizes(columns))
        order = {kind: place for place, kind in enumerate(FAULTS)}
        with np.errstate(all="ignore"):  # numbers beyond all measure are among what is looked for
            self.findings = sorted(
                _findings(self.splits, self.files),
                key=lambda one: (SEVERITIES.index(one.severity), order[one.kind]),
            )

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


def _findings(splits: Mapping[str, Columns], files: ImageFiles) -> Iterator[Finding]:
    for columns in splits.values():
        yield from check_entries(columns)
        yield from check_boxes(columns)
        yield from check_masks(columns)
        yield from check_categories(columns)
    yield from check_splits(splits)
    yield from check_files(splits, files)
