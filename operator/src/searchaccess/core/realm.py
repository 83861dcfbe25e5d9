"""Checks that the JWT realm is configured on every node as the SearchCluster says.

Realm settings are static node settings: the operator cannot set them. What it can do is name each line that is wrong.
https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-settings.html#ref-jwt-settings
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ALGORITHM: Final = "RS256"
"""Google signs identity tokens with RS256."""
PRINCIPAL_CLAIM: Final = "email"
NODES_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class WantedRealm:
    """What the SearchCluster says about the realm."""

    name: str
    audience: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A realm setting that is wrong on a node, with the line that elasticsearch.yml needs."""

    node: str
    line: str
    have: str


def _dig(settings: Any, path: str) -> Any:
    """Find a setting in the nested form that ``GET _nodes/settings`` gives."""
    for part in path.split("."):
        if not isinstance(settings, Mapping):
            return None
        settings = settings.get(part)
    return settings


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return (
        [str(item) for item in value] if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
    )


def check_node(node: str, settings: Mapping[str, Any], wanted: WantedRealm) -> list[Mismatch]:
    """Give every setting of the realm that is wrong on one node.

    Args:
        node: the node's name.
        settings: the node's ``settings`` object.
        wanted: what the SearchCluster says.
    """
    prefix = f"xpack.security.authc.realms.jwt.{wanted.name}"
    realm = _dig(settings, prefix)
    if not isinstance(realm, Mapping):
        return [Mismatch(node, f"{prefix}.order: 1", "no such realm")]
    algorithms = _list(_dig(realm, "allowed_signature_algorithms")) or [ALGORITHM]
    checks = [
        (str(realm.get("enabled", "true")) == "true", "enabled: true", realm.get("enabled")),
        (realm.get("token_type", "id_token") == "id_token", "token_type: id_token", realm.get("token_type")),
        (realm.get("allowed_issuer") == wanted.issuer, f"allowed_issuer: {wanted.issuer}", realm.get("allowed_issuer")),
        (
            wanted.audience in _list(realm.get("allowed_audiences")),
            f"allowed_audiences: [{wanted.audience}]",
            realm.get("allowed_audiences"),
        ),
        (
            ALGORITHM in algorithms,
            f"allowed_signature_algorithms: [{ALGORITHM}]",
            realm.get("allowed_signature_algorithms"),
        ),
        (
            _dig(realm, "claims.principal") == PRINCIPAL_CLAIM,
            f"claims.principal: {PRINCIPAL_CLAIM}",
            _dig(realm, "claims.principal"),
        ),
        # A pattern takes a part of the claim, so two callers could get one principal.
        (_dig(realm, "claim_patterns.principal") is None, "(no claim_patterns.principal)", "a pattern"),
    ]
    return [
        Mismatch(node, f"{prefix}.{line}", "absent" if have is None else str(have))
        for right, line, have in checks
        if not right
    ]


def check_realm(nodes: Mapping[str, Mapping[str, Any]], wanted: WantedRealm) -> list[Mismatch]:
    """Check every node.

    Args:
        nodes: the ``nodes`` object of ``GET _nodes/settings``.
        wanted: what the SearchCluster says.
    """
    if not nodes:
        # A filtered answer leaves out the nodes that have no realm at all.
        return [Mismatch("every node", f"xpack.security.authc.realms.jwt.{wanted.name}.order: 1", "no such realm")]
    found = []
    for node in nodes.values():
        found += check_node(str(node.get("name", "?")), node.get("settings") or {}, wanted)
    return found


def explain(mismatches: list[Mismatch]) -> str:
    """Give one message that names each line and the nodes that need it."""
    by_line: dict[tuple[str, str], list[str]] = {}
    for mismatch in mismatches:
        by_line.setdefault((mismatch.line, mismatch.have), []).append(mismatch.node)
    parts = []
    for (line, have), nodes in by_line.items():
        named = ", ".join(sorted(nodes)[:NODES_NAMED])
        more = len(nodes) - NODES_NAMED
        parts.append(f"{line} (on {named}{f' and {more} more' if more > 0 else ''}; found: {have})")
    return "elasticsearch.yml needs " + "; ".join(parts)
