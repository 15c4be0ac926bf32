"""`python tools/inspect_checkpoint.py …` is `vitdet inspect …`."""

import sys

from vitdet.cli import main

main(["inspect", *sys.argv[1:]])
