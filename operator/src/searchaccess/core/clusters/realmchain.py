"""The order of realms: a JWT realm that comes first and accepts the same tokens authenticates the callers."""

from collections.abc import Mapping
from typing import Any, Final

from searchaccess.core.clusters.realmsettings import REQUIRED, Objection, flat, listed
from searchaccess.core.model.intake.reading import mapping

_LAST: Final = 2**31 - 1
"""Order of a realm without an order."""
_REFUSING: Final = ("allowed_subjects", "allowed_subject_patterns")
"""Settings by which a realm may reject some callers, so that the next realm is tried."""


def outrun(realms: Any, name: str, issuer: str, audience: str) -> Objection | None:
    """Return an objection if another realm authenticates the callers of a JWT realm: role mappings see that realm.

    Args:
        realms: all of a node, by type and name.
        name: of the JWT realm that should authenticate them.
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
    have = f"{ours}; the jwt realm {rival} with the same issuer and audience comes first with order {first}"
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
