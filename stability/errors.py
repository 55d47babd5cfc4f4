"""The one exception class for bad input. Imports nothing of the package."""


class StabilityError(Exception):
    """Bad input, told in one line: where it is, what is wrong, what is allowed.

    Only the command line turns it into an exit code (2). Anything else that is raised is a bug.
    """
