"""The newest version of each object of a kind that is known in full, such as policies."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from searchaccess.core.model.intake.metadata import Metadata, part, text_in, version_of


class _Versioned(Protocol):
    @property
    def resource_version(self) -> str: ...


T = TypeVar("T", bound=_Versioned)


@dataclass(frozen=True, slots=True)
class Latest:
    """What was known of the objects of a kind at some moment.

    Lists without a resource version are as recent as etcd. So one that began later has no earlier version of an object,
    and nothing that was gone, unless etcd was restored from a backup.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
    """

    versions: Mapping[str, str]
    """By uid."""
    gone: Collection[str]
    """Uids of objects that were gone."""
    written: Mapping[str, int] = field(default_factory=dict)
    """By uid, the version that our own last write made."""

    def contradicts(self, listed: Mapping[str, Any]) -> bool:
        """Return whether an object in a list that began later is as it was earlier."""
        meta = part(listed, "metadata")
        uid = text_in(meta, "uid")
        known = max(version_of(self.versions.get(uid, "")), self.written.get(uid, 0))
        return uid in self.gone or version_of(text_in(meta, "resourceVersion")) < known


class Newest(Generic[T]):
    """Objects of one kind, by uid. An event that comes late changes nothing, and what is gone does not come back."""

    def __init__(self) -> None:
        self._known: dict[str, T] = {}
        self._gone: set[str] = set()
        """Uids of objects that are gone, until a list that began later ended."""
        self._anew: set[str] = set()
        """Uids of objects of which the next version counts, whichever it is."""

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
        return (
            known is None
            or meta.uid in self._anew
            or version_of(meta.resource_version) > version_of(known.resource_version)
        )

    def put(self, uid: str, found: T) -> None:
        """Take in an object that is expected."""
        self._known[uid] = found
        self._anew.discard(uid)

    def remove(self, uid: str) -> T | None:
        """Take in that an object is gone, and return it; None: it was not known."""
        self._gone.add(uid)
        return self._known.pop(uid, None)

    def forget_gone(self, present: Iterable[str]) -> None:
        """Remember of the objects that are gone only those that a list still had."""
        self._gone.intersection_update(present)

    def latest(self) -> Latest:
        """Return what is known now, to compare a list with that begins later."""
        return Latest({uid: found.resource_version for uid, found in self._known.items()}, frozenset(self._gone))

    def begin_anew(self) -> None:
        """Take the next version of each object, whichever it is."""
        self._anew = set(self._known)
        self._gone.clear()
