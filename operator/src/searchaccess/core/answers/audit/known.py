"""Who is declared: what explains a principal, a key and a revision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchaccess.core.answers.audit.naming import access_of_key


@dataclass(frozen=True, slots=True)
class KnownAccess:
    """A SearchAccess, as far as it explains events.

    Attributes:
        namespace: of the object.
        name: of the object.
        cluster: the SearchCluster.
        principals: names of its subject in Elasticsearch: today's, and those that still have the access.
        key_id: of its newest API key; empty: none.
        user: of its password; empty: none.
        patterns: the indices that its grants name.
        workload: name of the Cloud Run workload; empty: it names a service account.
        revisions: those that serve, as the status has them.
    """

    namespace: str
    name: str
    cluster: str = ""
    principals: frozenset[str] = frozenset()
    key_id: str = ""
    user: str = ""
    patterns: tuple[str, ...] = ()
    workload: str = ""
    revisions: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


def known_access(raw: Mapping[str, Any]) -> KnownAccess:
    """Read a SearchAccess.

    Args:
        raw: as the API server has it, or from a file. What has another type counts as missing.
    """
    metadata, spec, status = (_mapping(raw.get(name)) for name in ("metadata", "spec", "status"))
    identity, credential, subject = (
        _mapping(status.get("identity")),
        _mapping(status.get("credential")),
        _mapping(spec.get("subject")),
    )
    accounts = [identity, *map(_mapping, _items(identity.get("outgoing")))]
    # A realm names its users by either.
    named = [account.get(name) for account in accounts for name in ("serviceAccount", "uniqueId")]
    names = [identity.get("principal"), subject.get("serviceAccount"), *named]
    workload = next((_mapping(subject.get(kind)) for kind in subject if kind.startswith("cloudRun")), {})
    revisions = [_mapping(item).get("name") for item in _items(identity.get("revisions"))]
    return KnownAccess(
        namespace=_text(metadata.get("namespace")),
        name=_text(metadata.get("name")),
        cluster=_text(spec.get("cluster")),
        principals=frozenset(filter(None, map(_text, names))),
        key_id=_text(credential.get("keyId")),
        user=_text(credential.get("username")),
        patterns=tuple(
            _text(pattern) for grant in _items(spec.get("grants")) for pattern in _items(_mapping(grant).get("indices"))
        ),
        workload=_text(workload.get("name")),
        revisions=frozenset(filter(None, map(_text, [*revisions, identity.get("latestReadyRevision")]))),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Explained:
    """What explains a use.

    Attributes:
        accesses: the SearchAccesses; none: nothing explains it.
        claimed: they are known only by the name of a key, which whoever makes a key chooses.
    """

    accesses: tuple[KnownAccess, ...] = ()
    claimed: bool = False


@dataclass
class Known:
    """All that is declared, by what events name.

    Args:
        accesses: all SearchAccesses.
        logins: names of the operator's own users, whose requests are not reported.
    """

    accesses: Iterable[KnownAccess]
    logins: frozenset[str] = frozenset()
    _by_name: dict[str, list[KnownAccess]] = field(default_factory=dict)
    _by_key: dict[str, KnownAccess] = field(default_factory=dict)
    _by_path: dict[tuple[str, str], KnownAccess] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index them."""
        for access in self.accesses:
            for name in {*access.principals, *filter(None, [access.user])}:
                self._by_name.setdefault(name, []).append(access)
            if access.key_id:
                self._by_key[access.key_id] = access
            self._by_path[access.namespace, access.name] = access

    def explain(self, user: str, key_id: str, key_name: str) -> Explained:
        """Return what explains the requests of a user or a key.

        Args:
            user: the principal, or the owner of the key.
            key_id: empty: no key.
            key_name: chosen by whoever made the key.
        """
        if not key_id:
            return Explained(tuple(self._by_name.get(user, ())))
        if found := self._by_key.get(key_id):
            return Explained((found,))
        named = self._by_path.get(access_of_key(key_name))
        return Explained((named,), claimed=True) if named else Explained()


def logins_of(clusters: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the operator's own users.

    Args:
        clusters: the SearchClusters, as the API server has them; their status names the login.
    """
    found = (_mapping(_mapping(raw.get("status")).get("login")).get("user") for raw in clusters)
    return frozenset(filter(None, map(_text, found)))
