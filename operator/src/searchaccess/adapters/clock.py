"""The system's clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The system's clock."""

    def now(self) -> str:
        """Return the time as RFC 3339, UTC, whole seconds."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def monotonic(self) -> float:
        """Return seconds from some point on."""
        return time.monotonic()
