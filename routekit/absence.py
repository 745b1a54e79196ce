"""What stands for a value that is not there: the author's choice, or that the message is refused."""

from enum import Enum


class Missing(Enum):
    """The default of every option `missing`."""

    FAIL = "fail"

    def __repr__(self) -> str:
        return self.name


FAIL = Missing.FAIL
"""What is missing is an error."""
