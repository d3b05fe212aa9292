"""What can go wrong, sorted by what the caller should do about it."""


class CausalTasksError(Exception):
    """Something a person must know about.

    Attributes:
        message: What was found and where: table, column, value.
        remedy: What to do about it; empty only where nobody can do anything.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message}; {remedy}" if remedy else message)


class InputError(CausalTasksError, ValueError):
    """The experiment, its tables or an argument is wrong; trying again changes nothing."""


class NotReadyError(InputError):
    """The experiment has not finished, or its late data has not settled yet."""


class ConfigurationError(CausalTasksError):
    """The place it runs in is set up wrongly: credentials, bucket, store; trying again changes nothing."""


class StorageError(CausalTasksError):
    """The store did not answer; trying again may help."""
