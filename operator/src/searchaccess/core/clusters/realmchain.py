"""The order of realms: a JWT realm that comes first and takes the same tokens takes the callers."""

from collections.abc import Mapping
from typing import Any, Final

from searchaccess.core.clusters.realmsettings import REQUIRED, Objection, flat, listed
from searchaccess.core.model.intake.reading import mapping

_LAST: Final = 2**31 - 1
"""What counts where a realm has no order."""
_REFUSING: Final = ("allowed_subjects", "allowed_subject_patterns")
"""Settings by which a realm may refuse some callers: then the next realm is asked."""


def outrun(realms: Any, name: str, issuer: str, audience: str) -> Objection | None:
    """Return that another realm takes the callers of a JWT realm: to role mappings, they are that realm's users.

    Args:
        realms: all of a node, by type and name.
        name: of the JWT realm that should take them.
        issuer: of its tokens.
        audience: of its tokens.
    """
    jwt = {str(key): flat(mapping(found)) for key, found in mapping(mapping(realms).get("jwt")).items()}
    ours = _order(jwt.get(name, {}))
    before = {
        key: realm
        for key, realm in jwt.items()
        if key != name and _order(realm) < ours and _takes(realm, issuer, audience)
    }
    if not before:
        return None
    rival = min(before, key=lambda key: _order(before[key]))
    first = _order(before[rival])
    taken = {_order(mapping(realm)) for kind in mapping(realms).values() for realm in mapping(kind).values()}
    free = next(number for number in range(first - 1, first - len(taken) - 2, -1) if number not in taken)
    have = f"{ours}; the jwt realm {rival}, of the same issuer and audience, comes first with {first}"
    return Objection(f"order: {free}", have, certain=not all(map(_may_refuse, before.values())))


def _order(realm: Mapping[str, Any]) -> int:
    try:
        return int(str(realm.get("order", _LAST)))
    except ValueError:
        return _LAST


def _takes(realm: Mapping[str, Any], issuer: str, audience: str) -> bool:
    return (
        str(realm.get("enabled", "true")) == "true"
        and realm.get("token_type", "id_token") == "id_token"
        and realm.get("allowed_issuer") == issuer
        and audience in listed(realm.get("allowed_audiences"))
    )


def _may_refuse(realm: Mapping[str, Any]) -> bool:
    asks = realm.get("client_authentication.type", "shared_secret") != "none"
    return asks or any(key in _REFUSING or key.startswith(REQUIRED) for key in realm)
