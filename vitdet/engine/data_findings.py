"""What the check of annotations found: told before a training, and kept for its report."""

import hashlib
import logging
from html import escape
from pathlib import Path

from mmengine.logging import print_log

from vitdet.data_check import DataCheck
from vitdet.data_check.html import findings_section
from vitdet.data_check.summary import finding_lines
from vitdet.engine.cache import cache_folder, write_whole
from vitdet.visualization.page import section

TITLE = "Data check"


def tell_findings(check: DataCheck, *, done: str) -> None:
    """Log what is more than a note; `done` says what became of it."""
    findings = [finding for finding in check.findings if finding.severity != "note"]
    if findings:
        root = check.folder.root
        told = [
            f"{root} has faults, {done}; `vitdet check-data {root}` says more:",
            *finding_lines(findings),
        ]
        print_log("\n".join(told), logger="current", level=logging.WARNING)


def keep_findings(ann_file: Path, check: DataCheck, *, done: str) -> None:
    """Keep what was found as that of the file which is trained on."""
    note = f"{check.folder.root}, {done}. Errors spoil a training or are lost in it."
    page = findings_section(check, title=TITLE, note=note)
    write_whole(findings_file(ann_file), page.encode())


def keep_label_report(labels: Path, report: str) -> None:
    """Keep what the check of a folder of label PNGs said."""
    page = section(TITLE, f"<pre>{escape(report)}</pre>")
    write_whole(findings_file(labels), page.encode())


def findings_file(labels: Path) -> Path:
    """A file in the cache, which is there once this state of the labels was checked.

    labels: the annotation file that is trained on, or the folder of label PNGs.
    """
    state = labels.stat()
    key = f"{labels.resolve()} {state.st_mtime_ns} {state.st_size}"
    return cache_folder() / "findings" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.html"
