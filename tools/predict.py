"""`python tools/predict.py …` is `vitdet predict …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["predict", *sys.argv[1:]])
