"""The floors of docs/architecture.md: imports go to the same floor or below, never in circles."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vitdet"


def floors() -> dict[str, int]:
    """Package (or top-level module) name -> floor, from the table in docs/architecture.md."""
    table = re.findall(r"^\| (\d+) \| (.+?) \|", (ROOT / "docs/architecture.md").read_text(), re.M)
    return {name: int(floor) for floor, names in table for name in re.findall(r"`(\w+)`", names)}


def imports_of(path: Path) -> set[str]:
    """Our own modules that a file imports anywhere, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import, use the full name"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("vitdet.")}


def room_of(module: str) -> str:
    return module.split(".")[1]


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_room_has_a_floor() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES}
    assert rooms == set(floors())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    own = floors()[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    climbing = [
        name
        for name in imports_of(path)
        if room_of(name) in floors() and floors()[room_of(name)] > own
    ]
    assert not climbing


def test_no_circles() -> None:
    """Between packages: importing A must never lead back to A."""
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        graph.setdefault(room, set()).update(
            room_of(name) for name in imports_of(path) if room_of(name) in floors()
        )
    for room in graph:
        reached, frontier = set(), graph[room] - {room}
        while frontier:
            reached |= frontier
            frontier = set().union(*(graph.get(r, set()) for r in frontier)) - reached
        assert room not in reached, f"{room} imports itself through {reached}"


def test_only_compat_patches_other_libraries() -> None:
    patching = [
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        if "meta_path" in path.read_text() or "when_imported(" in path.read_text()
    ]
    assert patching
    assert all(name.startswith("compat/") for name in patching)


def test_import_is_cheap() -> None:
    code = (
        "import sys, vitdet; "
        "print([m for m in ('torch', 'mmdet', 'mmengine', 'numpy', 'cv2') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_setup_cfg_lists_every_package() -> None:
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for folder in (PACKAGE, ROOT / "configs")
        for path in folder.rglob("*.py")
    }
    assert listed == {re.sub(r"^configs", "vitdet.configs", name) for name in there}
