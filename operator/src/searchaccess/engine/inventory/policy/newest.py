"""The newest version of each object of a kind that is known in full, such as policies."""

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from searchaccess.core.model.intake.metadata import Metadata, version_of


class _Versioned(Protocol):
    @property
    def resource_version(self) -> str: ...


T = TypeVar("T", bound=_Versioned)


class Newest(Generic[T]):
    """Objects of one kind, by uid. An event that comes late changes nothing, and what is gone does not come back."""

    def __init__(self) -> None:
        self._known: dict[str, T] = {}
        self._gone: set[str] = set()
        """Uids of objects that are gone, until a list that began later ended."""

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[T]:
        return iter(self._known.values())

    def get(self, uid: str) -> T | None:
        """Return an object; None: it is not known."""
        return self._known.get(uid)

    def uids(self) -> frozenset[str]:
        """Return the uids of the objects that are known."""
        return frozenset(self._known)

    def expects(self, meta: Metadata) -> bool:
        """Return whether an object from an event or a list is newer than what is known."""
        if not meta.uid or meta.uid in self._gone:
            return False
        known = self._known.get(meta.uid)
        return known is None or version_of(meta.resource_version) > version_of(known.resource_version)

    def put(self, uid: str, found: T) -> None:
        """Take in an object that is expected."""
        self._known[uid] = found

    def remove(self, uid: str) -> T | None:
        """Take in that an object is gone, and return it; None: it was not known."""
        self._gone.add(uid)
        return self._known.pop(uid, None)

    def forget_gone(self, present: Iterable[str]) -> None:
        """Remember of the objects that are gone only those that a list still had."""
        self._gone.intersection_update(present)
