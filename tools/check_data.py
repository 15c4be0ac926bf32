"""`python tools/check_data.py …` is `vitdet check-data …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["check-data", *sys.argv[1:]])
