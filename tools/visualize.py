"""`python tools/visualize.py …` is `vitdet visualize …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["visualize", *sys.argv[1:]])
