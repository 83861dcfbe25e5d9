"""Whether a login has the rights on remote clusters that a key of it is to have: Elasticsearch does not answer that."""

from collections.abc import Iterable

from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.grants.actions import in_short
from searchaccess.core.model.restrictions.union import restricts
from searchaccess.core.patterns.namesets import has_all_of


def lacking_remotely(own: Iterable[Entry], wanted: Iterable[Entry]) -> tuple[str, ...]:
    """Return which rights on remote clusters a login lacks, such as ``read on eu:orders-*``.

    What it has only by several entries together, or by another privilege that includes it than ``all``, counts as
    lacking.

    Args:
        own: the login's entries.
        wanted: the entries that the key is to have.
    """
    has = [entry for entry in own if entry.clusters and not restricts(entry) and not entry.other]
    return tuple(
        f"{in_short(missing)} on {cluster}:{name}"
        for entry in wanted
        for cluster in entry.clusters
        for name in entry.indices
        if (missing := _missing(has, cluster, name, entry.privileges))
    )


def _missing(has: Iterable[Entry], cluster: str, name: str, privileges: Iterable[str]) -> list[str]:
    there = {
        privilege
        for entry in has
        if has_all_of(entry.clusters, (cluster,)) and has_all_of(entry.names, (name,))
        for privilege in entry.privileges
    }
    return [] if "all" in there else [privilege for privilege in privileges if privilege not in there]
