"""`python tools/export.py …` is `vitdet export …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
