"""Which events are asked for where a server filters them. It may give more: the report chooses its rows itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from searchaccess.core.answers.audit.known import KnownAccess


@dataclass(frozen=True, slots=True)
class CallersWanted:
    """Events of some callers: any of these.

    Attributes:
        users: names of users.
        user_prefixes: what names of users begin with.
        opaque_prefixes: what the header ``X-Opaque-Id`` begins with.
        key_ids: of API keys.
        key_names: patterns of names of API keys, with ``*``.
    """

    users: frozenset[str]
    user_prefixes: tuple[str, ...] = ()
    opaque_prefixes: tuple[str, ...] = ()
    key_ids: frozenset[str] = frozenset()
    key_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventsWanted:
    """Which events of an index, or of Cloud Logging.

    Attributes:
        index: name or pattern of the index with the events; empty: not in an index.
        since: seconds since the epoch; None: from the first on.
        until: events from it on are left out; None: none.
        index_pattern: a pattern with ``*`` and ``?`` that a name of an event's index matches; empty: any.
        callers: whose; None: all.
        denied: only refused requests.
    """

    index: str = ""
    since: float | None = None
    until: float | None = None
    index_pattern: str = ""
    callers: CallersWanted | None = None
    denied: bool = False


def callers_of(service: str, accesses: Iterable[KnownAccess]) -> CallersWanted | None:
    """Return whose events concern a workload, principal or SearchAccess; None: it cannot be told.

    Args:
        service: name of the Cloud Run workload, the principal, or the SearchAccess (``namespace/name``).
        accesses: those that are known.
    """
    if not service or not service.isascii() or "*" in service or "?" in service:
        return None
    named = [access for access in accesses if access.path == service]
    if "/" not in service:
        return CallersWanted(frozenset({service}), (f"{service}@",), (f"{service}/",))
    if not named:
        return None
    users = frozenset(user for access in named for user in (*access.principals, access.user) if user)
    keys = frozenset(access.key_id for access in named if access.key_id)
    return CallersWanted(users, (), (), keys, (f"searchaccess.*.{service}.*",))


def wildcard_of(pattern: str) -> str:
    """Return a pattern of indices as a server can search for it; empty: it cannot, so that all events are read."""
    return "" if pattern.startswith("/") or "\\" in pattern else pattern
