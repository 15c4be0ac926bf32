"""A page about a run: how it went, how good the result is, and where it fails."""

from vitdet.report.run_report import write_report

__all__ = ["write_report"]
