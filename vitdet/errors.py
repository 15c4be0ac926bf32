"""The one exception that stands for a mistake a user can mend."""


class UserError(ValueError):
    """Something the user gave does not fit: a path, a config, a data set, a checkpoint.

    The message is one line that says what is wrong, where, and what to do about it. The command
    line tools print that line and exit with code 2; anything else that is raised is a bug of ours
    and keeps its traceback.
    """
