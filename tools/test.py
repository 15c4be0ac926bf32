"""`python tools/test.py …` is `vitdet test …`."""

import sys

from vitdet.cli import main

main(["test", *sys.argv[1:]])
