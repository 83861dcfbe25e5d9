"""What replicas need from Kubernetes to divide clusters: Leases of coordination.k8s.io."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """One Lease, as it was read."""

    name: str
    """Its key: what it represents, not its name in Kubernetes."""
    holder: str
    """Identity of the replica that holds it; empty: nobody."""
    version: str
    """Resource version: it changes with every write."""
    transitions: int = 0
    """How often another replica took it."""


class LeasesPort(Protocol):
    """Leases of one installation. Every method raises only ``ExternalError``."""

    async def list(self) -> Sequence[Lease]:
        """Read all of them, from the newest state (one request)."""

    async def create(self, name: str, holder: str, duration: float) -> Lease:
        """Make one.

        Raises:
            Conflict: it is there already.
        """

    async def write(self, lease: Lease, holder: str, duration: float) -> Lease:
        """Set the holder of one, or renew it, if nobody wrote it since it was read.

        Raises:
            Conflict: somebody did.
            NotFound: it is gone.
        """

    async def delete(self, lease: Lease) -> None:
        """Delete one, if nobody wrote it since it was read; that it is gone is fine.

        Raises:
            Conflict: somebody did.
        """
