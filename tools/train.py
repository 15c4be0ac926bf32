"""`python tools/train.py …` is `vitdet train …`."""

import sys

from vitdet.cli import main

main(["train", *sys.argv[1:]])
