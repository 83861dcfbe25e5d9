"""What was there before an object was: a backup brings statuses back, and creates their objects anew."""

from datetime import datetime, timedelta
from typing import Any, Final

TOLERANCE: Final = timedelta(minutes=5)
"""By so much the operator's clock may be behind that of the API server."""


def predates(moment: Any, created: Any) -> bool:
    """Return whether a time is surely before that at which an object was created; False: it is not, or is not known.

    Args:
        moment: RFC 3339.
        created: the same.
    """
    # Nearly always, and for nearly nothing.
    if not isinstance(moment, str) or not isinstance(created, str) or moment >= created:
        return False
    try:
        return datetime.fromisoformat(moment) < datetime.fromisoformat(created) - TOLERANCE
    except (ValueError, TypeError, OverflowError):
        return False
