"""`python tools/convert_data.py …` is `vitdet convert-data …`."""

import sys

from vitdet.cli import main

main(["convert-data", *sys.argv[1:]])
