"""`python tools/test.py …` is `vitdet test …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["test", *sys.argv[1:]])
