"""What is older than its object: a backup restores statuses, and creates their objects again."""

from datetime import datetime, timedelta
from typing import Any, Final

TOLERANCE: Final = timedelta(minutes=5)
"""How far the operator's clock may be behind the API server's."""


def predates(moment: Any, created: Any) -> bool:
    """Return whether a time is certainly before an object's creation; False: it is not, or that is unknown.

    Args:
        moment: RFC 3339.
        created: when the object was created, RFC 3339.
    """
    # The usual case, and cheap.
    if not isinstance(moment, str) or not isinstance(created, str) or moment >= created:
        return False
    try:
        return datetime.fromisoformat(moment) < datetime.fromisoformat(created) - TOLERANCE
    except (ValueError, TypeError, OverflowError):
        return False
