"""Checks that the JWT realm is configured on every node as the SearchCluster declares it.

Realm settings are static node settings, which the operator cannot change. It names each line that is wrong.
https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-settings.html#ref-jwt-settings
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.searchcluster import ClientAuthentication, PrincipalClaim
from searchaccess.core.clusters.realmchain import outrun
from searchaccess.core.clusters.realmsettings import ALGORITHM, KEYS, flat, listed, objections
from searchaccess.core.clusters.subjects import limits_of, subjects_in_doubt
from searchaccess.core.model.intake.reading import mapping, within
from searchaccess.core.policy.callers import Limit

NODES_NAMED: Final = 3
LONGEST: Final = 300
"""Characters of a node's name, or of what a setting has, that are shown."""

_REALMS: Final = "xpack.security.authc.realms"
_CLIENTS: Final = {ClientAuthentication.NONE: "none", ClientAuthentication.SHARED_SECRET: "shared_secret"}
_NO_REALM: Final = "no such realm"


@dataclass(frozen=True, slots=True)
class WantedRealm:
    """The realm that the SearchCluster declares."""

    name: str
    audience: str
    issuer: str
    principal: PrincipalClaim = PrincipalClaim.EMAIL
    clients: ClientAuthentication = ClientAuthentication.NONE


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A realm setting that is wrong on a node, with the line that elasticsearch.yml needs."""

    node: str
    line: str
    have: str
    certain: bool = True
    """False: the settings do not determine whether it rejects callers, or accepts others."""


def _dig(settings: Any, path: str) -> Any:
    """Find a setting in the nested form that ``GET _nodes/settings`` gives."""
    for part in path.split("."):
        if not isinstance(settings, Mapping):
            return None
        settings = settings.get(part)
    return settings


def check_node(node: str, settings: Mapping[str, Any], wanted: WantedRealm) -> list[Mismatch]:
    """Return every setting of the realm that is wrong on one node.

    Args:
        node: the node's name.
        settings: the node's ``settings`` object.
        wanted: what the SearchCluster says.
    """
    prefix = f"{_REALMS}.jwt.{wanted.name}"
    realm = _dig(settings, prefix)
    if not isinstance(realm, Mapping):
        return [Mismatch(node, f"{prefix}.{line}", _NO_REALM) for line in lines_of(wanted)]
    found = [
        Mismatch(node, f"{prefix}.{line}", "absent" if have is None else str(have)[:LONGEST])
        for right, line, have in _checks(realm, wanted)
        if not right
    ]
    known = flat(realm)
    others = [*objections(known, wanted.issuer), *subjects_in_doubt(known, wanted.principal)]
    if first := outrun(_dig(settings, _REALMS), wanted.name, wanted.issuer, wanted.audience):
        others.append(first)
    return found + [Mismatch(node, f"{prefix}.{one.line}", one.have[:LONGEST], one.certain) for one in others]


def lines_of(wanted: WantedRealm) -> list[str]:
    """Return all settings that a realm of this kind needs, as elasticsearch.yml has them below the realm's prefix."""
    return [
        "order: 1",
        *(line for right, line, _ in _checks({"client_authentication": {"type": "absent"}}, wanted) if not right),
        f"allowed_signature_algorithms: [{ALGORITHM}]",
        f"pkc_jwkset_path: {KEYS}",
    ]


def _checks(realm: Mapping[str, Any], wanted: WantedRealm) -> list[tuple[bool, str, Any]]:
    """Return for each setting whether it is right, the required line, and the observed one."""
    algorithms = listed(_dig(realm, "allowed_signature_algorithms")) or [ALGORITHM]
    claim = _dig(realm, "claims.principal")
    by_sub = wanted.principal is PrincipalClaim.SUB
    metadata = str(realm.get("populate_user_metadata", "true"))
    # Elasticsearch's own default is the shared secret.
    clients = _dig(realm, "client_authentication.type") or _CLIENTS[ClientAuthentication.SHARED_SECRET]
    wanted_clients = _CLIENTS[wanted.clients]
    return [
        (str(realm.get("enabled", "true")) == "true", "enabled: true", realm.get("enabled")),
        (realm.get("token_type", "id_token") == "id_token", "token_type: id_token", realm.get("token_type")),
        (
            clients == wanted_clients,
            f"client_authentication.type: {wanted_clients}",
            _dig(realm, "client_authentication.type"),
        ),
        (realm.get("allowed_issuer") == wanted.issuer, f"allowed_issuer: {wanted.issuer}", realm.get("allowed_issuer")),
        (
            wanted.audience in listed(realm.get("allowed_audiences")),
            f"allowed_audiences: [{wanted.audience}]",
            realm.get("allowed_audiences"),
        ),
        (
            ALGORITHM in algorithms,
            f"allowed_signature_algorithms: [{ALGORITHM}]",
            realm.get("allowed_signature_algorithms"),
        ),
        # With sub, the role template reads the metadata, so the name may also be the address, which people can read.
        (
            claim == wanted.principal or (by_sub and claim == PrincipalClaim.EMAIL),
            f"claims.principal: {wanted.principal}",
            claim,
        ),
        (not by_sub or metadata == "true", "populate_user_metadata: true", metadata),
        # A pattern extracts a part of the claim, so two callers could get the same principal.
        (_dig(realm, "claim_patterns.principal") is None, "(no claim_patterns.principal)", "a pattern"),
    ]


@dataclass(frozen=True, slots=True)
class RealmFindings:
    """What the settings of all nodes say about the realm."""

    mismatches: tuple[Mismatch, ...] = ()
    """What is wrong."""
    doubts: tuple[Mismatch, ...] = ()
    """What may be wrong: it depends on callers' tokens, or on what the operator cannot see."""
    limits: tuple[Limit, ...] = ()
    """Settings that accept some callers and reject all others."""
    claimed: frozenset[str] = frozenset()
    """Which of a user's groups and DN some node takes from claims."""


def check_realm(nodes: Any, wanted: WantedRealm) -> RealmFindings:
    """Check every node.

    Args:
        nodes: the ``nodes`` object of ``GET _nodes/settings``; of anything else no node has the realm.
        wanted: what the SearchCluster says.
    """
    nodes = mapping(nodes)
    if not nodes:
        # A filtered answer leaves out the nodes that have no realm at all.
        return RealmFindings(tuple(check_node("every node", {}, wanted)))
    found, limits, claimed = list[Mismatch](), list[Limit](), set[str]()
    prefix = f"{_REALMS}.jwt.{wanted.name}"
    for node in (mapping(node) if within(node) else {} for node in nodes.values()):
        name, settings = str(node.get("name", "?"))[:LONGEST], mapping(node.get("settings"))
        found += check_node(name, settings, wanted)
        known = flat(mapping(_dig(settings, prefix)))
        limits += limits_of(name, prefix, known)
        claimed |= {one for one in ("groups", "dn") if f"claims.{one}" in known}
    wrong = tuple(one for one in found if one.certain)
    return RealmFindings(wrong, tuple(one for one in found if not one.certain), tuple(limits), frozenset(claimed))


def place_of(eck: str = "") -> str:
    """Return where a realm's settings are.

    Args:
        eck: ``namespace/name`` of ECK's Elasticsearch resource; empty: not by ECK.
    """
    return f"spec.nodeSets[].config of Elasticsearch {eck}" if eck else "elasticsearch.yml"


def explain_doubts(doubts: Sequence[Mismatch], eck: str = "") -> str:
    """Return one message about uncertain settings, with the lines that would make them certain.

    Args:
        doubts: the uncertain settings; at least one.
        eck: ``namespace/name`` of ECK's Elasticsearch resource; empty: not by ECK.
    """
    return f"the settings do not determine who can log in; to make that certain, {explain(doubts, eck)}"


def explain(mismatches: Sequence[Mismatch], eck: str = "") -> str:
    """Return one message that names each line, where it goes, and the nodes that need it.

    Args:
        mismatches: what is wrong; at least one.
        eck: ``namespace/name`` of ECK's Elasticsearch resource; empty: not by ECK.
    """
    nodes_of: dict[tuple[str, str], list[str]] = {}
    for mismatch in mismatches:
        nodes_of.setdefault((mismatch.line, mismatch.have), []).append(mismatch.node)
    # Lines that are missing on the same nodes become one block to paste.
    lines_of_block: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (line, have), nodes in nodes_of.items():
        lines_of_block.setdefault((tuple(sorted(nodes)), have), []).append(line)
    parts = []
    for (names, have), lines in lines_of_block.items():
        more = len(names) - NODES_NAMED
        on = f"on {', '.join(names[:NODES_NAMED])}{f' and {more} more' if more > 0 else ''}"
        parts.append(f"{'; '.join(lines)} ({on}; found: {have})")
    return f"{place_of(eck)} needs " + "; ".join(parts)
