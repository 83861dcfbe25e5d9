"""What the engine needs from a secret store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from searchaccess.api.stores.credentials import SecretStoreSpec
from searchaccess.core.credentials.credential import Secret, Slot
from searchaccess.core.credentials.sealed import Sealed


@dataclass(frozen=True, slots=True)
class Place:
    """A secret in a store, by name."""

    namespace: str
    """Of the SearchAccess; stores outside Kubernetes ignore it."""
    name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The SearchAccess that a secret is for."""

    uid: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, and what was also read of its content."""

    secret: Secret
    holds: Mapping[int, str] = field(default_factory=dict)
    """By version, the id of the key in it; empty: something else. Other versions are not known yet."""


class SecretStore(Protocol):
    """A secret store. Every method raises only ``ExternalError``; no error shows a value."""

    async def find(self, place: Place) -> Found | None:
        """Find a secret, without its values; None: there is none."""

    async def read(self, place: Place, number: int) -> str:
        """Return the id of the key that a version holds; empty: something else."""

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        """Store a value as the newest version; return its slot.

        Args:
            place: the secret.
            owner: the SearchAccess that it is for. A secret marked as a predecessor's is marked as its own first.
            known: the secret as it was read; None: there was none.
            number: a number higher than all before, for stores that do not number versions themselves.
            value: what to store.

        Raises:
            Conflict: it has changed since it was read.
        """

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:
        """Write the value of a version again in the declared form. The value stays the same.

        Args:
            place: the secret.
            owner: the SearchAccess that it is for.
            known: the secret as it was read; its form differs.
            number: the version.

        Raises:
            Conflict: it has changed since it was read.
        """

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Disable versions. Those that are disabled already are fine."""

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Destroy the values of versions. Those that are destroyed already are fine."""

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a secret with all versions. A missing one is fine.

        Raises:
            Conflict: it is not the one that was read.
        """


class Stores(Protocol):
    """Opens secret stores."""

    async def open(self, spec: SecretStoreSpec) -> SecretStore:
        """Return the store that a SearchCluster declares. No request is sent yet."""
