"""What is raised on purpose: mistakes that a user can mend, and a training ended by a signal."""


class UserError(ValueError):
    """Something the user gave does not fit: a path, a config, a data set, a checkpoint.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line tools print that line and exit with code 2; anything else that is raised is a bug of ours
    and keeps its traceback.
    """


class StoppedError(Exception):
    """A signal ended the training after a step; its state is saved. The message names the signal.

    The command line tools end with exit code 75 (EX_TEMPFAIL): the same command with `--resume`
    goes on.
    """
