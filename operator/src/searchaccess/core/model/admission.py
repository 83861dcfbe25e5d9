"""Whether a SearchCluster admits a SearchAccess."""

from enum import Enum, auto


class Admission(Enum):
    """Whether a SearchAccess may refer to its SearchCluster."""

    ALLOWED = auto()
    REFUSED = auto()
    UNKNOWN = auto()
    """It depends on the namespace's labels, and these are not known."""
