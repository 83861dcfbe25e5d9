"""Reads answers of Elasticsearch. Whatever an answer is, only ``ExternalError`` comes out of here.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-api.html
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import map_item
from searchaccess.core.clusters.cluster import License
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.grants.actions import in_short
from searchaccess.core.model.intake.reading import digits, mapping, objects, readable_list, text, texts, whole_number
from searchaccess.ports.elasticsearch import ClusterFingerprint, MadeKey, Probe, Written
from searchaccess.ports.errors import ExternalError, Unexpected

_SHORT: Final = 256
_LATEST: Final = 10**15
"""Milliseconds since the epoch, far beyond any plausible time."""
_POSITION: Final = 2**63 - 1
"""Largest sequence number of Elasticsearch: a long."""


def identity_of(info: Any) -> tuple[str, str]:
    """Return version and uuid of a cluster.

    Raises:
        Unexpected: it says neither.
    """
    body = mapping(info)
    version = text(mapping(body.get("version")).get("number"), _SHORT)
    uuid = text(body.get("cluster_uuid"), _SHORT)
    if not version or not uuid:
        raise Unexpected("Elasticsearch: its response lacks the version or the UUID")
    return version, uuid


def license_of(answer: Any) -> License:
    """Return the license.

    Raises:
        Unexpected: it says none.
    """
    described = mapping(mapping(answer).get("license"))
    kind, status = text(described.get("type"), _SHORT), described.get("status")
    if not kind or not isinstance(status, str):
        raise Unexpected("Elasticsearch: its response lacks the license")
    if status != "active":
        return License("expired")
    ends = whole_number(described.get("expiry_date_in_millis"), _LATEST)
    return License(kind, ends / 1000 if ends else None)


def fingerprint_of(answer: Any) -> ClusterFingerprint:
    """Return the ids of the cluster's state and of its running nodes.

    Raises:
        Unexpected: it says neither.
    """
    body = mapping(answer)
    state = text(body.get("state_uuid"), _SHORT)
    nodes = (text(mapping(node).get("ephemeral_id"), _SHORT) for node in mapping(body.get("nodes")).values())
    starts = frozenset(node for node in nodes if node)
    if not state or not starts:
        raise Unexpected("Elasticsearch: its response lacks the cluster's state")
    return ClusterFingerprint(state, starts)


def probe_of(answer: Any) -> Probe | None:
    """Return the position of the security index; None: there is none."""
    for index in mapping(mapping(answer).get("indices")).values():
        shards = mapping(mapping(index).get("shards")).values()
        copies = (mapping(copy) for shard in shards if isinstance(shard, list) for copy in shard)
        found = (whole_number(mapping(copy.get("seq_no")).get("max_seq_no"), _POSITION) for copy in copies)
        numbers = [number for number in found if number is not None]
        if numbers:
            return Probe(text(mapping(index).get("uuid"), _SHORT) or "", max(numbers))
    return None


def login_of(answer: Any) -> Login:
    """Return who the operator is.

    Raises:
        Unexpected: it does not say that.
    """
    body = mapping(answer)
    username, realm = text(body.get("username")), text(mapping(body.get("authentication_realm")).get("name"))
    if username is None or realm is None:
        raise Unexpected("Elasticsearch: its response lacks the user's name and realm")
    return Login(username, realm, body.get("authentication_type") == "api_key")


def missing_in(answer: Any) -> tuple[str, ...]:
    """Return the missing privileges from a response about privileges.

    Raises:
        Unexpected: it neither confirms all privileges nor names the missing ones.
    """
    body = mapping(answer)
    if body.get("has_all_requested") is True:
        return ()
    found = _lacking(body.get("cluster"))
    for named in (body.get("index"), *mapping(body.get("application")).values()):
        for name, privileges in sorted(mapping(named).items()):
            if lacking := _lacking(privileges):
                found.append(f"{in_short(lacking)} on {name}")
    if not found:
        raise Unexpected("Elasticsearch: its response does not say which privileges are missing")
    return tuple(found)


def _lacking(privileges: Any) -> list[str]:
    return sorted(name for name, has in mapping(privileges).items() if has is not True)


def keys_of(answer: Any) -> list[dict[str, Any]]:
    """Return the API keys, including those that cannot be read."""
    return objects(mapping(answer).get("api_keys"))


def users_of(answer: Any, size: int) -> tuple[list[dict[str, Any]], str]:
    """Return the users of a page that can be read.

    Args:
        answer: the page.
        size: users in a page that is not the last one.

    Returns:
        The users, and the name after which the next page begins; empty: there is none.
    """
    page = mapping(answer).get("users")
    last = mapping(page[-1]).get("username") if isinstance(page, list) and len(page) >= max(size, 1) else ""
    return readable_list(page), text(last) or ""


def all_of(read: Callable[[Any], Sequence[Any]], answer: Any) -> list[dict[str, Any]] | None:
    """Return the objects of a query that can be read; None: there are more than it returned.

    Args:
        read: returns the objects of an answer.
        answer: of the query.
    """
    total, count = (whole_number(mapping(answer).get(key)) for key in ("total", "count"))
    return readable_list(list(read(answer))) if total is not None and total == count else None


def made_key_of(answer: Any, lifetime: float) -> MadeKey:
    """Return a key that was just made.

    Args:
        answer: of the API.
        lifetime: seconds for which it was made: the answer has when it ends, and so when it was made.

    Raises:
        Unexpected: the answer lacks it.
    """
    body = mapping(answer)
    key_id, secret = text(body.get("id"), _SHORT), text(body.get("api_key"), _SHORT)
    if not key_id or not secret:
        raise Unexpected("Elasticsearch: its response lacks the key that it created")
    ends = whole_number(body.get("expiration"), _LATEST)
    return MadeKey(key_id, Sealed(secret), ends / 1000 - math.ceil(lifetime) if ends else None)


def time_of(answer: Any) -> float:
    """Return the cluster's time: seconds since the epoch, as text, like all that a cat API gives.

    Raises:
        Unexpected: the answer lacks it.
    """
    first = mapping(answer[0]) if isinstance(answer, list) and answer else {}
    epoch = digits(first.get("epoch"))
    if epoch is None:
        raise Unexpected("Elasticsearch: its response lacks the time")
    return float(epoch)


def written_of(answer: Any, changed: Iterable[str], unchanged: str) -> Written:
    """Return the result of a bulk write.

    Args:
        answer: what Elasticsearch says.
        changed: keys under which it names what was changed.
        unchanged: key under which it names what was not.
    """
    body = mapping(answer)
    return Written(
        changed={name for key in changed for name in texts(body.get(key))},
        unchanged=set(texts(body.get(unchanged))),
        refused=_refused(body),
    )


def _refused(body: Mapping[str, Any]) -> dict[str, ExternalError]:
    details = mapping(mapping(body.get("errors")).get("details"))
    return {name: map_item(mapping(error)) for name, error in details.items()}
