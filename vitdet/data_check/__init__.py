"""What is wrong with a data set, found before hours are spent on it, and mended in a copy."""

from vitdet.data_check.brief import check_brief
from vitdet.data_check.check import DataCheck
from vitdet.data_check.finding import Example, Finding
from vitdet.data_check.mend import mend

__all__ = ["DataCheck", "Example", "Finding", "check_brief", "mend"]
