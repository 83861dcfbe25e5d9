"""What an Elasticsearch has, for tests: say what matters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.importing.importing import Imported, Wish, import_all
from searchaccess.core.answers.importing.material import Material, keys_in, mappings_in, roles_in, users_in
from searchaccess.core.answers.importing.subjects import subject_map
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry, role_from_json

ORDERS = "orders@acme-shop.iam.gserviceaccount.com"
BILLING = "billing@acme-shop.iam.gserviceaccount.com"
REALM = "google"


def by_name(*names: str, realm: str = REALM) -> dict[str, Any]:
    """Return rules for callers by name."""
    return {"all": [{"field": {"realm.name": realm}}, {"field": {"username": list(names)}}]}


def a_mapping(*roles: str, rules: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a role mapping, by default for one service account."""
    return {"enabled": True, "roles": list(roles), "rules": rules or by_name(ORDERS)} | more


def an_entry(*names: str, privileges: Sequence[str] = ("read", "view_index_metadata"), **more: Any) -> dict[str, Any]:
    """Return an entry of a role."""
    return {"names": list(names) or ["orders-*"], "privileges": list(privileges)} | more


def a_role(*entries: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a role."""
    return {"indices": [dict(entry) for entry in entries]} | more


def material(
    roles: Mapping[str, Any] | None = None,
    mappings: Mapping[str, Any] | None = None,
    users: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[Mapping[str, Any]] = (),
) -> Material:
    """Return what a cluster has, as its APIs return it."""
    return roles_in(roles or {}) + mappings_in(mappings or {}) + users_in(users) + keys_in(keys)


def imported(
    roles: Mapping[str, Any] | None = None,
    mappings: Mapping[str, Any] | None = None,
    users: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[Mapping[str, Any]] = (),
    *,
    subjects: Any = None,
    realm: str = REALM,
    claim: PrincipalClaim = PrincipalClaim.EMAIL,
    refusal: Callable[[Access], str] = lambda _: "",
    declared: Sequence[Access] = (),
) -> Imported:
    """Import what a cluster has."""
    wish = Wish("prod", "shop", subject_map(subjects), realm, claim, refusal, tuple(declared))
    return import_all(material(roles, mappings, users, keys), wish)


def of_role(role: Mapping[str, Any]) -> Imported:
    """Import one role that one service account has."""
    return imported({"orders": role}, {"orders": a_mapping("orders")})


def spec(result: Imported, at: int = 0) -> dict[str, Any]:
    """Return the spec of one SearchAccess."""
    found: dict[str, Any] = result.made[at].manifest["spec"]
    return found


def left(result: Imported) -> list[tuple[str, str, str]]:
    """Return source, part and reason of what is left."""
    return [(one.source, one.part, str(one.why)) for one in result.leftovers]


def entries_of(role: Mapping[str, Any]) -> list[Entry]:
    """Return a role's entries in canonical form."""
    return list(role_from_json(role).entries)
