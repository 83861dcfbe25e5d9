"""States of a cluster's security, as its APIs return them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.access.state import Realm, SecurityState
from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.core.rights.mapping import build_template_mapping
from tests.unit.builders import OPERATOR

GOOGLE: Final = Realm("google", "jwt", "https://accounts.google.com", claimed=frozenset())
ORDERS: Final = "orders@acme-shop.iam.gserviceaccount.com"
TEMPLATE: Final = build_template_mapping(OPERATOR, "google", PrincipalClaim.EMAIL)


def entry(*names: str, can: Sequence[str] = ("read",), **more: Any) -> dict[str, Any]:
    """Return an entry of a role."""
    return {"names": list(names), "privileges": list(can), "allow_restricted_indices": False, **more}


def role(*entries: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a role as the role API returns it."""
    return {"cluster": [], "indices": [dict(each) for each in entries], "run_as": [], "metadata": {}, **more}


def given_by_mapping(*roles: str, rules: Mapping[str, Any], enabled: bool = True) -> dict[str, Any]:
    """Return a role mapping of somebody else."""
    return {"enabled": enabled, "roles": list(roles), "rules": dict(rules), "metadata": {}}


def user(name: str, *roles: str, enabled: bool = True) -> dict[str, Any]:
    """Return a user of the native realm."""
    return {"username": name, "roles": list(roles), "enabled": enabled, "metadata": {}}


def key(key_id: str, limits: Mapping[str, Any] | None, **descriptors: Any) -> dict[str, Any]:
    """Return an API key of the user ada."""
    raw = {"id": key_id, "name": f"name-of-{key_id}", "username": "ada", "creation": 1_767_225_600_000, "metadata": {}}
    return {**raw, "role_descriptors": descriptors, **({"limited_by": [dict(limits)]} if limits is not None else {})}


def state(
    roles: Mapping[str, Any] | None = None,
    *,
    mappings: Mapping[str, Any] | None = None,
    users: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[Mapping[str, Any]] = (),
    anonymous: tuple[str, ...] = (),
    names: IndexNames | None = None,
    **more: Any,
) -> SecurityState:
    """Return a state in which everything could be read; the operator's role mapping is always there."""
    given: dict[str, Any] = {
        "roles": roles or {},
        "mappings": {TEMPLATE.name: TEMPLATE.to_json(), **(mappings or {})},
        "users": {each["username"]: each for each in users},
        "keys": list(keys),
        "services": {},
        "realms": (GOOGLE,),
        "anonymous": anonymous,
        "names": names or IndexNames(("orders-1",)),
    }
    return SecurityState(**(given | more))
