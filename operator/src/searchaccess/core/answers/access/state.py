"""What was read of a cluster's security, once, and what about one index follows from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.access.groups import Part, matches_index
from searchaccess.core.model.intake.reading import UNREADABLE, mapping, objects, text, texts
from searchaccess.core.patterns.meeting import BACKING
from searchaccess.core.patterns.wildcards import matches as matches_wildcard
from searchaccess.core.policy.guardrails.aliases import IndexNames, is_own, stream_of
from searchaccess.core.rights.foreign.exclusive import given_by

Raw = Mapping[str, Any]

READ_SECURITY: Final = (
    "the login lacks the cluster privilege read_security: searchaccess login --tier Observe prints a role with it"
)
_NAMES: Final = "aliases and data streams"
_SEES_ALL: Final = "with view_index_metadata on * it sees all"
IN_FILES: Final = "roles, role mappings and users in files of the nodes (roles.yml, role_mapping.yml, users)"


@dataclass(frozen=True, slots=True)
class Realm:
    """A realm of tokens or users, as the nodes' settings or a SearchCluster say.

    Args:
        name: its name.
        kind: its type, such as ``jwt``.
        issuer: of its tokens; empty: not known.
        claim: by which claim callers are declared.
        claimed: which of a user's groups and DN it takes from claims; None: not known.
        doubt: why it is not known who its users are, or which roles they get; empty: it is.
    """

    name: str
    kind: str = "jwt"
    issuer: str = ""
    claim: PrincipalClaim = PrincipalClaim.EMAIL
    claimed: frozenset[str] | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class SecurityState:
    """The security of one cluster, as the APIs return it. What could not be read is None.

    Args:
        roles: by name.
        mappings: role mappings by name.
        users: those of the native and the reserved realm, by name.
        keys: API keys that work, with the roles that limit them.
        services: Elasticsearch's own service accounts, by name.
        realms: those in the nodes' settings.
        anonymous: roles of requests without a login, which all users have too; none: these are refused.
        names: indices, aliases and data streams that the login may see.
        sees_all: whether these are all that there are.
        why: by what could not be read, why.
    """

    roles: Mapping[str, Raw] | None = None
    mappings: Mapping[str, Raw] | None = None
    users: Mapping[str, Raw] | None = None
    keys: Sequence[Raw] | None = None
    services: Mapping[str, Raw] | None = None
    realms: tuple[Realm, ...] | None = None
    anonymous: tuple[str, ...] | None = None
    names: IndexNames | None = None
    sees_all: bool = True
    why: Mapping[str, str] = field(default_factory=dict)

    def unread(self) -> Iterator[str]:
        """Yield what could not be read and why, for messages."""
        for what, found in (
            ("roles", self.roles),
            ("role mappings", self.mappings),
            ("users", self.users),
            ("API keys", self.keys),
            ("service accounts", self.services),
            ("settings of realms and of anonymous access", self.anonymous),
        ):
            if found is None:
                yield f"{what}: {self.why.get(what) or READ_SECURITY}"
        if self.names is None:
            yield f"{_NAMES}: {self.why.get(_NAMES) or f'the login sees none; {_SEES_ALL}'}"
        elif not self.sees_all:
            yield f"{_NAMES}: the login sees only some; {_SEES_ALL}"

    @property
    def knows_aliases(self) -> bool:
        """Whether all aliases and data streams are known."""
        return self.names is not None and self.sees_all


@dataclass(frozen=True, slots=True)
class Target:
    """An index, and all names by which its documents can be reached.

    Args:
        name: that was asked about.
        leading: aliases and data streams that lead to it.
        behind: indices that it leads to, if it is an alias or a data stream itself.
        exists: whether there is one of this name; None: not known.
    """

    name: str
    leading: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    exists: bool | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which some or all of its documents can be reached, its own first."""
        return (self.name, *self.leading, *self.behind)


def target_of(name: str, known: IndexNames | None) -> Target:
    """Return an index with what leads to it.

    Args:
        name: of the index, alias or data stream.
        known: the names that the login may see; None: none.
    """
    if known is None:
        return Target(name)
    behind = dict(known.behind)
    exists = name in known.names
    backing = tuple(each for each in known.names if exists and each.startswith(BACKING) and _backs(each, name))
    streams = {each for each in known.names if name.startswith(BACKING) and _backs(name, each)}
    # An alias of a data stream leads to the indices behind it.
    leading = {alias for alias, indices in behind.items() if not {name, *backing}.isdisjoint(indices)} | streams
    leading |= {alias for alias, indices in behind.items() if not leading.isdisjoint(indices)}
    # Whoever has rights on a data stream has them on what is behind its alias.
    mine = [each for index in behind.get(name, ()) for each in (index, stream_of(index)) if each and each != name]
    return Target(name, tuple(sorted(leading - {name})), tuple(dict.fromkeys((*mine, *backing))), exists)


def _backs(index: str, stream: str) -> bool:
    """Return whether an index is behind a data stream, by its name; an unusual one may have been made of another."""
    exact = stream_of(index)
    return exact == stream if exact else is_own(index, stream)


class IndexedRoles:
    """The roles that have anything on an index, found by their patterns: each pattern is compared once.

    Args:
        roles: all roles by name; None: they could not be read.
        target: the index.
    """

    def __init__(self, roles: Mapping[str, Raw] | None, target: Target) -> None:
        self.names = target.names
        self.known = {role: raw for role, raw in (roles or {}).items() if raw != UNREADABLE}
        self.run_as: dict[str, tuple[str, ...]] = {}
        """By role, the patterns of the users as whom its users may act."""
        self.compared = 0
        """Patterns that were compared."""
        by_pattern: dict[str, list[str]] = {}
        for role, raw in self.known.items():
            for pattern in patterns_in(raw):
                by_pattern.setdefault(pattern, []).append(role)
            if isinstance(raw, Mapping) and raw.get("run_as"):
                self.run_as[role] = texts(raw["run_as"])
        relevant = dict[str, None]()
        for pattern, roles_with in by_pattern.items():
            self.compared += 1
            if any(matches_index(pattern, name) for name in self.names):
                relevant |= dict.fromkeys(roles_with)
        self.relevant = {role: given_by(self.known[role]) for role in relevant}
        """What they give, by name."""

    def part(self, role: str) -> Part | None:
        """Return a role that has anything on the index; None: it has nothing there, or is not known."""
        body = self.relevant.get(role)
        return None if body is None else Part(role, body)

    def unlicensed(self, role: str) -> bool:
        """Return whether the license lacks a part of a role, so that it gives nothing."""
        return mapping(mapping(self.known.get(role)).get("transient_metadata")).get("enabled", True) is False

    def matches(self, raw: Any) -> bool:
        """Return whether a role, or a descriptor of an API key, has anything on the index."""
        return any(matches_index(pattern, name) for pattern in patterns_in(raw) for name in self.names)


def patterns_in(raw: Any) -> Iterator[str]:
    """Yield the index patterns of a role or descriptor, as the API gives it."""
    for entry in objects(mapping(raw).get("indices")):
        names = entry.get("names")
        if isinstance(names, str):
            yield names
        else:
            yield from texts(names)


def acts_as(patterns: Sequence[str], user: str) -> bool:
    """Return whether patterns of ``run_as`` include a user."""
    return any(matches_index(each, user) if each.startswith("/") else matches_wildcard(each, user) for each in patterns)


def realms_in(settings: Any) -> tuple[Realm, ...]:
    """Read the realms from the nodes' settings.

    Args:
        settings: ``nodes`` of ``GET _nodes/settings``, filtered or not.
    """
    found = dict[tuple[str, str], Realm]()
    for node in mapping(settings).values():
        authc = mapping(mapping(mapping(mapping(node).get("settings")).get("xpack")).get("security")).get("authc")
        for kind, realms in mapping(mapping(authc).get("realms")).items():
            for name, raw in mapping(realms).items():
                one, before = _realm(kind, name, mapping(raw)), found.get((kind, name))
                if before is not None:
                    # What any node takes from claims, users may have.
                    claimed = (one.claimed or frozenset()) | (before.claimed or frozenset())
                    one = replace(one, claimed=claimed, doubt=one.doubt or before.doubt)
                found[kind, name] = one
    return tuple(found[key] for key in sorted(found))


def _realm(kind: str, name: str, raw: Raw) -> Realm:
    claims = mapping(raw.get("claims"))
    principal = claims.get("principal", "email")
    doubt = ""
    if raw.get("authorization_realms"):
        doubt = "takes the roles of its users from other realms"
    elif kind == "jwt" and (principal not in {"email", "sub"} or raw.get("claim_patterns")):
        doubt = f"does not name its users by their address or unique id: claims.principal is {principal!s:.80}"
    claim = PrincipalClaim.SUB if principal == "sub" else PrincipalClaim.EMAIL
    claimed = frozenset(one for one in ("groups", "dn") if one in claims)
    return Realm(name, kind, text(raw.get("allowed_issuer")) or "", claim, claimed, doubt)


def anonymous_in(settings: Any) -> tuple[str, ...]:
    """Read the roles of anonymous access from the nodes' settings (see ``realms_in``); none: it is off."""
    found = dict[str, None]()
    for node in mapping(settings).values():
        authc = mapping(mapping(mapping(mapping(node).get("settings")).get("xpack")).get("security")).get("authc")
        roles = mapping(mapping(authc).get("anonymous")).get("roles")
        found |= dict.fromkeys(roles.split(",") if isinstance(roles, str) else texts(roles))
    return tuple(name.strip() for name in found if name.strip())
