"""What the API server stored of statuses that we wrote: a CRD that is older than the operator lacks some fields."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import structlog

from searchaccess.core.messages import some_of
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.status.pruning import lost_fields, without_fields
from searchaccess.ports.kubernetes import ObjectRef, Plural

_NAMED: Final = 5
"""Fields that one line of the log names."""

log = structlog.get_logger(__name__)


class Difference(NamedTuple):
    """A status that was not stored as it was written, as JSON."""

    plural: Plural
    written: str
    stored: str


class StoredStatuses:
    """Statuses that were not stored as they were written. An outdated CRD is reported once for each kind."""

    def __init__(self) -> None:
        self._different: dict[str, Difference] = {}
        """By uid."""
        self._lost: dict[Plural, frozenset[str]] = {}
        """By kind, the fields that its CRD lacks."""

    @property
    def outdated(self) -> frozenset[Plural]:
        """The kinds whose CRD lacks fields that the operator writes."""
        return frozenset(self._lost)

    def as_written(self, uid: str, status_json: str) -> str:
        """Return a status that was read; if it is what was stored of one that we wrote, return the written one."""
        known = self._different.get(uid)
        return known.written if known and known.stored == status_json else status_json

    def forget(self, uid: str) -> None:
        """Forget an object that is gone."""
        self._different.pop(uid, None)

    def compare(self, ref: ObjectRef, written: str, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> str:
        """Compare a status that we wrote with what the API server stored.

        Args:
            ref: the object.
            written: the status as JSON.
            stored: what the API server responded.
            sent: the status.

        Returns:
            What is stored, as JSON.
        """
        if stored == sent:
            self.forget(ref.uid)
            return written
        kept = stable_json(stored)
        self._different[ref.uid] = Difference(ref.plural, written, kept)
        known, lost = self._lost.get(ref.plural, frozenset()), lost_fields(sent, stored)
        if lost is None:
            log.warning("a status is not stored as it was written", resource=ref.plural, object=ref.name)
        elif not lost <= known:
            self._lost[ref.plural] = known | lost
            missing = some_of(sorted(known | lost), _NAMED)
            message = "the CRD is older than the operator: apply the CRDs of this version"
            log.warning(message, resource=ref.plural, missing=missing)
        return kept

    def completed(self, plural: Plural, sent: Mapping[str, Any]) -> Iterator[tuple[str, Difference]]:
        """Yield the differences to rewrite, by uid, once a completely stored status shows that the CRD is up to date.

        Args:
            plural: the kind.
            sent: the status that was stored completely.
        """
        lost = self._lost.get(plural)
        if not lost or without_fields(sent, lost) == sent:
            return
        del self._lost[plural]
        for uid, known in [item for item in self._different.items() if item[1].plural is plural]:
            del self._different[uid]
            yield uid, known
