"""`python tools/zoo.py …` is `vitdet zoo …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["zoo", *sys.argv[1:]])
