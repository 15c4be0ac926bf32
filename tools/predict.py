"""`python tools/predict.py …` is `vitdet predict …`."""

import sys

from vitdet.cli import main

main(["predict", *sys.argv[1:]])
