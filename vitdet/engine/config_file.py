"""Find a config file and read it, turning each way to fail into one clear line."""

import difflib
import logging
import traceback
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

import vitdet
from vitdet.engine.config_copies import changes_without_effect
from vitdet.errors import UserError
from vitdet.zoo.configs import find_zoo_config


def shipped_configs() -> Path:
    """Folder of the configs that come with vitdet: packed into a wheel, beside it in a clone."""
    package = Path(vitdet.__file__).parent
    packed = package / "configs"
    return packed if packed.is_dir() else package.parent / "configs"


def find_config(name: str | Path) -> Path:
    """Path of a config given as a path, or as the name of one that ships with vitdet.

    `mmdet::FOLDER/NAME` and `mmseg::FOLDER/NAME` name those that the two libraries install.

    Raises:
        UserError: nothing is there; the nearest names are offered.
    """
    if "::" in str(name):
        return find_zoo_config(str(name))
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_configs()
    stem = path.name.removesuffix(".py")
    if len(path.parts) == 1 and (shipped / f"{stem}.py").is_file():
        return shipped / f"{stem}.py"
    candidates = {
        file.stem: file for folder in (path.parent, shipped) for file in folder.glob("*.py")
    }
    nearest = difflib.get_close_matches(stem, candidates, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(nearest)}?" if nearest else f"shipped ones lie in {shipped}"
    raise UserError(f"config {name} does not exist; {hint}")


def read_config(name: str | Path) -> Config:
    """Read a config of either style (pure Python, or mmdet's and mmseg's text style).

    Warns of changes that reach nothing, see `config_copies`.

    Raises:
        UserError: not found, not valid Python, or the two styles are mixed by inheritance.
    """
    path = find_config(name)
    try:
        config = Config.fromfile(path)
    except SyntaxError as error:
        raise UserError(f"config {path}, line {error.lineno}: {error.msg}") from error
    except Exception as error:  # whatever a config's own lines may raise
        if "inheritance chain" in str(error):
            raise UserError(
                f"config {path} mixes the two styles: a pure-Python config (read_base) inherits "
                "pure-Python ones only, a text-style config (_base_ = [...]) text-style ones only"
            ) from error
        raise UserError(_where(error, path) + " ".join(str(error).split())) from error
    for line in changes_without_effect(path, config, find_base=find_config):
        print_log(line, logger="current", level=logging.WARNING)
    return config


def _where(error: Exception, path: Path) -> str:
    """`config FILE, line N: ErrorType: `, at the deepest frame that lies in a config file."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(".py")]
    own = [f for f in frames if Path(f.filename).resolve() == path.resolve()]
    line = f", line {own[-1].lineno}" if own else ""
    return f"config {path}{line}: {type(error).__name__}: "
