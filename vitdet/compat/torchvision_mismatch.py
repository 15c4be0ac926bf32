"""Says in one line that torchvision does not fit the installed torch.

Breaks: a torchvision whose compiled part was built for another torch (in any version; typically
the registry's torchvision beside a CPU-only torch) fails on import with the traceback of
`RuntimeError: operator torchvision::nms does not exist`, which names neither cause nor remedy.
Delete when torchvision says so itself.
"""

from vitdet.compat.hooks import guard_import
from vitdet.errors import UserError


def _translate(error: Exception) -> Exception | None:
    if "operator torchvision::" not in str(error):
        return None
    import importlib.metadata

    torch, torchvision = map(importlib.metadata.version, ("torch", "torchvision"))
    return UserError(
        f"torchvision {torchvision} was built for another torch than the installed {torch}; "
        "install both anew in one command and from one package index: "
        "pip install --force-reinstall torch torchvision"
    )


def install() -> None:
    """Guard the import of torchvision."""
    guard_import("torchvision", _translate)
