"""The commands `vitdet train | test | predict | check-data | ...`, also the files in `tools/`.

A mistake the user can mend (`UserError`) is printed as one line and ends with exit code 2; Ctrl-C
ends with 130, a training that a signal has stopped with 75: `--resume` goes on; a process that has
lost another one with 69. Heavy imports wait until the arguments are known to be good.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

import vitdet
from vitdet.commands.checkpoints import add_export, add_inspect, add_publish
from vitdet.commands.data import add_check_data, add_convert_data
from vitdet.commands.predict import add_predict
from vitdet.commands.train import add_test, add_train
from vitdet.commands.zoo import add_zoo
from vitdet.errors import LostProcessError, StoppedError, UserError

_COMMANDS = (
    add_train,
    add_test,
    add_predict,
    add_check_data,
    add_convert_data,
    add_inspect,
    add_export,
    add_publish,
    add_zoo,
)
_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
_UNAVAILABLE = 69  # EX_UNAVAILABLE


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line."""
    parser = argparse.ArgumentParser(prog="vitdet", description=vitdet.__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"vitdet {vitdet.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_command in _COMMANDS:
        add_command(commands)
    arguments = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name in a label file may be no text of any
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments.run(arguments)
    except (UserError, LostProcessError) as error:
        if _is_first_to_say():
            sys.stderr.write(f"vitdet {arguments.command}: error: {error}\n")
            sys.stderr.flush()
        if isinstance(error, LostProcessError):
            os._exit(_UNAVAILABLE)  # what still waits for the lost process would wait here, too
        sys.exit(2)
    except StoppedError:
        sys.exit(_TRY_AGAIN)
    except KeyboardInterrupt:
        sys.exit(130)


def _is_first_to_say() -> bool:
    """Whether no other process has said yet why the run ends: one line, not one of each process.

    Who fails first also comes first, as the others fail by losing it.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        return distributed.distributed_c10d._get_default_store().add("vitdet/end is said", 1) == 1
    except RuntimeError:  # the process that kept what all of them share is gone
        return True
