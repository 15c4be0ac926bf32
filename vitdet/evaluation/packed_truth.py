"""Ground truth as it waits for the next evaluation."""

import pickle
import zlib
from typing import Any


class PackedTruth:
    """The content of an annotation file in one block of a third of its size.

    As dicts it would take ten times the file's size, through the whole training, and each loader
    worker would copy more and more of it: Python writes to what it only looks at.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self.num_images = len(content["images"])
        self._packed = zlib.compress(pickle.dumps(content, protocol=5), level=1)

    def unpack(self) -> dict[str, Any]:
        """The content, anew at each call."""
        return pickle.loads(zlib.decompress(self._packed))
