"""`python tools/benchmark_model.py …` is `vitdet benchmark-model …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["benchmark-model", *sys.argv[1:]])
