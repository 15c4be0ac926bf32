"""`python tools/inspect_checkpoint.py …` is `vitdet inspect …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["inspect", *sys.argv[1:]])
