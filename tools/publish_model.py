"""`python tools/publish_model.py …` is `vitdet publish …`."""

import sys

from vitdet.cli import main

if __name__ == "__main__":
    main(["publish", *sys.argv[1:]])
