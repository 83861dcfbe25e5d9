"""The endpoints of a GKE cluster. By itself, as Google's library takes a second to import."""

from enum import StrEnum


class GkeEndpoint(StrEnum):
    """Which of a cluster's endpoints to use."""

    AUTO = "auto"
    """The DNS endpoint if it is open, else the public address, else the private one."""
    DNS = "dns"
    PUBLIC = "public"
    PRIVATE = "private"
