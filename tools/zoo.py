"""`python tools/zoo.py …` is `vitdet zoo …`."""

import sys

from vitdet.cli import main

main(["zoo", *sys.argv[1:]])
