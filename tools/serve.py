"""`python tools/serve.py …` is `vitdet serve …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["serve", *sys.argv[1:]])
