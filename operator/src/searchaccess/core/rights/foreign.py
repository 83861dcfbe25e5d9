"""Foreign role mappings: whether one grants a caller more rights than are declared.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/role-mapping-resources.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.reading import DEPTH, mapping, shortened
from searchaccess.core.patterns.wildcards import matches
from searchaccess.core.rights.mapping import SUB, RoleMapping

MOST: Final = 200
"""Number of foreign role mappings that are evaluated, the first by name."""
_PARTS: Final = 2000
"""Parts of the rules of one; one with more is not evaluated."""
_ROLES_NAMED: Final = 3
_REALM: Final = "realm.name"


@dataclass(frozen=True, slots=True)
class ForeignMapping:
    """A foreign role mapping that may apply to callers of the realm."""

    name: str
    text: str
    """The mapping and its roles, in short."""
    rules: str
    """Canonical JSON."""
    parsed: Mapping[str, Any] = field(compare=False, repr=False)

    def applies(self, known: Mapping[str, str]) -> bool:
        """Return whether it certainly applies to a user with these known fields."""
        return _applies(self.parsed, known) is True


def foreign_mapping(found: RoleMapping, realm: str) -> ForeignMapping | None:
    """Return a role mapping as far as it matters here; None: it grants nothing to users of the realm.

    Args:
        found: the role mapping, which is not ours.
        realm: name of the realm.
    """
    body = found.body
    roles = [*body.roles, *(["roles from templates"] if body.templates != "[]" else [])]
    rules = json.loads(body.rules)
    if not body.enabled or not roles or excess(rules, depth=DEPTH, nodes=_PARTS):
        return None
    if _applies(mapping(rules), {_REALM: realm}) is False:
        return None
    more = len(roles) - _ROLES_NAMED
    gives = f"{', '.join(map(shortened, roles[:_ROLES_NAMED]))}{f' and {more} more' if more > 0 else ''}"
    return ForeignMapping(found.name, f"role mapping {shortened(found.name)} ({gives})", body.rules, mapping(rules))


def user_of(principal: str, realm: str, claim: PrincipalClaim) -> dict[str, str]:
    """Return the known fields of a caller, by their names in role mappings.

    Args:
        principal: whose role it is.
        realm: name of the realm.
        claim: the claim whose value is the principal.
    """
    if claim is PrincipalClaim.SUB:
        return {_REALM: realm, SUB: principal}
    return {_REALM: realm, "username": principal, "metadata.jwt_claim_email": principal}


def given_by_others(mappings: Sequence[ForeignMapping], known: Mapping[str, str]) -> tuple[str, ...]:
    """Return the foreign role mappings that certainly apply to a caller, with their roles.

    Args:
        mappings: the foreign role mappings.
        known: see ``user_of``.
    """
    return tuple(one.text for one in mappings if one.applies(known))


def _applies(rule: Any, known: Mapping[str, str]) -> bool | None:
    """Return whether a rule applies; None: it depends on what is not known, or cannot be read."""
    if not isinstance(rule, Mapping) or len(rule) != 1:
        return None
    [(kind, inner)] = rule.items()
    match kind:
        case "field":
            return _field(inner, known)
        case "except":
            found = _applies(inner, known)
            return None if found is None else not found
        case "any" | "all" if isinstance(inner, list):
            # One decisive part decides; without one, an unknown part leaves the result open.
            decisive: bool = kind == "any"
            parts = [_applies(part, known) for part in inner]
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
    return None


def _field(inner: Any, known: Mapping[str, str]) -> bool | None:
    if not isinstance(inner, Mapping) or len(inner) != 1:
        return None
    [(name, wanted)] = inner.items()
    if name not in known:
        return None
    found = [_equals(value, known[name]) for value in (wanted if isinstance(wanted, list) else [wanted])]
    return True if True in found else (None if None in found else False)


def _equals(wanted: Any, value: str) -> bool | None:
    if not isinstance(wanted, str):
        return False
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        return None
    # Without a star, every character is literal.
    return matches(wanted, value) if "*" in wanted else wanted == value
