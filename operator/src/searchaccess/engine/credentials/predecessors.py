"""Keys, users and secrets of a predecessor that was taken over: whose they are in this one (docs/adr/0035)."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from searchaccess.core.credentials.credential import Key
from searchaccess.engine.credentials.observe import Observed
from searchaccess.engine.credentials.steps import Job
from searchaccess.engine.inventory.records import AccessRecord


def with_inherited(
    observed: Observed, records: Iterable[AccessRecord], ending: Container[str], accesses: Container[str]
) -> dict[str, tuple[Key, ...]]:
    """Return keys and users by uid of the SearchAccess, with those that one of its name had in a predecessor.

    Those of whom no SearchAccess here declares a credential stay as they are, or are returned as those of one that is
    gone.

    Args:
        observed: what was read.
        records: the SearchAccesses that declare a credential.
        ending: controllers whose undeclared keys and users are to end.
        accesses: uids of SearchAccesses of this life: none of them is a former one.
    """
    if not observed.former:
        return observed.keys
    successors = {(record.access.namespace, record.access.name): record.access.uid for record in records}
    found = dict(observed.keys)
    for key in observed.former:
        uid = successors.get((key.namespace, key.name), "")
        if not uid and key.former in ending and key.owner not in accesses:
            uid = key.owner
        if uid:
            found[uid] = (*found.get(uid, ()), key)
    return found


def as_successor(job: Job, keys: Sequence[Key], accesses: Container[str]) -> Job:
    """Return a credential whose secret may be marked as that of the same SearchAccess in a predecessor.

    Args:
        job: the credential.
        keys: its keys and users, those of a predecessor too.
        accesses: uids of SearchAccesses of this life: none of them is a former one.
    """
    place = (job.store_name, job.place.name)
    former = {key.owner for key in keys if key.former and key.place == place and key.owner not in accesses}
    return replace(job, wish=replace(job.wish, predecessors=frozenset(former))) if former else job
