"""What of a run's log reaches the console; the log file gets everything."""

import logging
import sys
from pathlib import Path

_OURS = str(Path(__file__).resolve().parents[1])


class _ConsoleFilter(logging.Filter):
    """Lets warnings, our own messages and, away from a terminal, the loss lines through.

    mmengine opens each run with some hundred lines of environment, config and hooks. On a terminal
    the progress bar shows what its loss lines say.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return (
            record.levelno >= logging.WARNING
            or record.pathname.startswith(_OURS)
            or (record.module == "logger_hook" and not sys.stdout.isatty())
        )


def console_handlers(logger: logging.Logger) -> list[logging.StreamHandler]:
    """Handlers of `logger` that write to the console rather than to a file."""
    return [
        handler
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
    ]


def keep_console_readable(logger: logging.Logger) -> None:
    """Add the filter to every console handler of `logger`."""
    for handler in console_handlers(logger):
        handler.addFilter(_ConsoleFilter())
