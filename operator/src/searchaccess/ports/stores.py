"""What the loop needs from a secret store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from searchaccess.api.credentials import SecretStoreSpec
from searchaccess.core.credentials.credential import Secret, Slot
from searchaccess.core.credentials.sealed import Sealed


@dataclass(frozen=True, slots=True)
class Place:
    """A secret in a store, by name."""

    namespace: str
    """Of the SearchAccess; stores outside of Kubernetes do without."""
    name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The SearchAccess that a secret is for."""

    uid: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """A secret, and what was read of its content on the way."""

    secret: Secret
    holds: Mapping[int, str] = field(default_factory=dict)
    """By version: id of the key in it; empty: something else. Of other versions nothing is known yet."""


class SecretStore(Protocol):
    """A secret store. Every method raises only ``ExternalError``; no error shows a value."""

    async def find(self, place: Place) -> Found | None:
        """Find a secret, without its values; None: there is none."""

    async def read(self, place: Place, number: int) -> str:
        """Return the id of the key that a version holds; empty: something else."""

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        """Store a value as the newest version; return where it is then.

        Args:
            place: the secret.
            owner: the SearchAccess that it is for. One that was marked as another's (of a predecessor) is marked first.
            known: the secret as it was read; None: there was none.
            number: a number that is higher than all before, for stores that do not count versions themselves.
            value: what to store.

        Raises:
            Conflict: it has changed since it was read.
        """

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:
        """Write the value that a version holds in the form that the store is to have it in. It stays the same value.

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
        """Destroy what versions hold. Those that are destroyed already are fine."""

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a secret with all versions. A missing one is fine.

        Raises:
            Conflict: it is another one than was read.
        """


class Stores(Protocol):
    """Opens secret stores."""

    async def open(self, spec: SecretStoreSpec) -> SecretStore:
        """Return the store that a SearchCluster declares. No request is sent yet."""
