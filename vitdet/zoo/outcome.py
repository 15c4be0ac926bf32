"""What became of one config, and whether a failure is a fault or something that is missing."""

import importlib.util
import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path

YES, NO, EXCUSED, NOT_TRIED = "yes", "no", "excused", "-"

# Packages that neither vitdet nor mmdet and mmsegmentation declare, and that configs ask for.
OPTIONAL_PACKAGES = (
    "mmpretrain",
    "transformers",
    "nltk",
    "detectron2",
    "fairscale",
    "ldm",
    "skimage",
    "sklearn",
    "lap",
    "motmetrics",
    "timm",
)
_UNNAMED = {"To use VPD model": "ldm"}  # what says "install" without saying what
_DOWNLOAD = re.compile(
    r"huggingface\.co|HF_HUB_OFFLINE|offline mode|Can't load (?:the )?\w+ for|127\.0\.0\.1|"
    r"ProxyError|urlopen error|locate the file on the Hub",
    re.IGNORECASE,
)

# mmseg's SAN initialises its classifier from CLIP's weights or not at all.
_STARTS_FROM_WEIGHTS = "'super' object has no attribute 'init_weights'"


@dataclass(frozen=True)
class Outcome:
    """What became of one config.

    Attributes:
        built: "yes", "no", or "excused": something undeclared is missing, or there is no model.
        stepped: "yes", "no", "excused", or "-" if it was not tried.
        reason: why not, in one line; or "" .
        parameters: of the model, the frozen ones too; 0 if it is not built.
    """

    built: str
    stepped: str = NOT_TRIED
    reason: str = ""
    parameters: int = field(default=0, compare=False)


def excuse(error: BaseException) -> str | None:
    """What is missing on this machine that `error` or one of its causes names, or None."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    for one in chain:
        package = _missing_package(one)
        if package is not None:
            return f"needs {package}"
    for one in chain:
        if isinstance(one, OSError | RuntimeError) and _DOWNLOAD.search(str(one)):
            return f"needs a download: {shorten(one)}"
        if isinstance(one, AttributeError) and str(one) == _STARTS_FROM_WEIGHTS:
            return "needs a download: the weights it starts from"
    return None


def shorten(error: BaseException) -> str:
    """The error in one short line."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    if not text and frames:  # a bare assertion: then where it stands
        parts = Path(frames[-1].filename).parts
        text = f"{'/'.join(parts[-3:])}, line {frames[-1].lineno}"
    text = f"{type(error).__name__}: {text}"
    return text if len(text) <= 160 else f"{text[:157]}..."


def _missing_package(error: BaseException) -> str | None:
    """The undeclared package that is not installed and that `error` asks for."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        named = [error.name.partition(".")[0]]
    elif isinstance(error, ImportError) or "install" in str(error):
        named = re.findall(r"\w+", str(error).lower())
        named += [package for words, package in _UNNAMED.items() if words in str(error)]
    else:
        return None
    missing = (name for name in named if name in OPTIONAL_PACKAGES)
    return next((name for name in missing if importlib.util.find_spec(name) is None), None)
