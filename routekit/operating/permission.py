"""Who may change something: an operator may, a reader may not."""

from ..errors import Rejected
from .desk import Operator


def permitted(by: Operator, what: str) -> None:
    """Raises Rejected if `by` is a reader; `what` is the change, such as `pause routes`."""
    if by.role != "operator":
        raise Rejected(f"'{by.name}' may look, and may not {what}", hint="ask with the token of an operator")
