"""`python tools/check_data.py …` is `vitdet check-data …`."""

import sys

from vitdet.cli import main

main(["check-data", *sys.argv[1:]])
