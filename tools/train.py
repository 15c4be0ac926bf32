"""`python tools/train.py …` is `vitdet train …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
