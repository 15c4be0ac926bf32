"""What is raised on purpose: mistakes that a user can mend, and runs that others have ended."""

_MAX_LENGTH = 2000


class UserError(ValueError):
    """Something the user gave does not fit: a path, a config, a data set, a checkpoint.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line tools print that line and exit with code 2; anything else that is raised is a bug of ours
    and keeps its traceback.

    What a message quotes from a file may hold line ends, control codes or megabytes; it stays one
    line all the same, that a terminal can take.
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(str(message)))


def one_line(text: str, *, limit: int = _MAX_LENGTH) -> str:
    """The text without line ends and control codes, shortened in its middle."""
    if len(text) > limit:
        text = f"{text[: limit * 2 // 3]} ... {text[len(text) - limit // 4 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


class StoppedError(Exception):
    """A signal ended the training after a step; its state is saved. The message names the signal.

    The command line tools end with exit code 75 (EX_TEMPFAIL): the same command with `--resume`
    goes on.
    """


class LostProcessError(Exception):
    """Another process of this run has ended, or cannot be reached. The message is one line.

    The command line tools end with exit code 69 (EX_UNAVAILABLE): why it ended is not known here.
    """
