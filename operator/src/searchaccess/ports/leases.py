"""What replicas need from Kubernetes to divide clusters: Leases of coordination.k8s.io."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """One Lease, as read."""

    name: str
    """Its key, not its name in Kubernetes."""
    holder: str
    """Identity of the replica that holds it; empty: nobody."""
    version: str
    """Resource version: it changes with every write."""
    transitions: int = 0
    """How often its holder changed."""


class LeasesPort(Protocol):
    """Leases of one installation. Every method raises only ``ExternalError``."""

    async def list(self) -> Sequence[Lease]:
        """Read all Leases, consistently (one request)."""

    async def create(self, name: str, holder: str, duration: float) -> Lease:
        """Create a Lease.

        Raises:
            Conflict: it exists already.
        """

    async def write(self, lease: Lease, holder: str, duration: float) -> Lease:
        """Set the holder of a Lease, or renew it, if nobody has written it since it was read.

        Raises:
            Conflict: somebody did.
            NotFound: it is gone.
        """

    async def delete(self, lease: Lease) -> None:
        """Delete a Lease, if nobody has written it since it was read; a missing one is fine.

        Raises:
            Conflict: somebody did.
        """
