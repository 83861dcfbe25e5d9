"""Reads what the operator's login may do, with the official asynchronous client."""

from collections.abc import Iterable
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.part import ClientPart
from searchaccess.core.model.intake.reading import mapping, objects, text, texts
from searchaccess.core.policy.delegation import Delegation
from searchaccess.core.policy.login import LoginRights
from searchaccess.ports.errors import NotFound, NotSupported, PermissionDenied, Rejected

MANAGES: Final = "manage_security"
ISSUES_KEYS: Final = "manage_api_key"
_KEY_ACTIONS: Final = tuple(
    f"cluster:admin/xpack/security/api_key/{verb}" for verb in ("create", "update", "bulk_update", "invalidate")
)
ACTIONS: Final = (
    *(f"cluster:admin/xpack/security/role/{verb}" for verb in ("put", "bulk_put", "bulk_delete")),
    *(f"cluster:admin/xpack/security/role_mapping/{verb}" for verb in ("put", "delete")),
    *(f"cluster:admin/xpack/security/user/{verb}" for verb in ("put", "delete")),
    *_KEY_ACTIONS,
)
"""All that we do with ``manage_security``: a role may name these actions in its place."""


class LoginClient(ClientPart):
    """The part of the client that is about its own login."""

    async def login_rights(self) -> LoginRights | None:
        """Read what the operator's login may do; None: Elasticsearch does not report it."""
        try:
            with mapped():
                api = await self._api()
                has = mapping((await api.security.has_privileges(cluster=[MANAGES, ISSUES_KEYS, *ACTIONS])).body)
            cluster = mapping(has.get("cluster"))
            manages, keys = cluster.get(MANAGES), cluster.get(ISSUES_KEYS)
            if not isinstance(manages, bool) or not isinstance(keys, bool):
                return None
            lacks = [action for action in ACTIONS if cluster.get(action) is not True]
            manages, keys = manages or not lacks, keys or not any(action in lacks for action in _KEY_ACTIONS)
            parts = [] if manages else await self._globals()
            if parts is None:
                return None
            delegated, has_some = delegated_by(parts), len(lacks) < len(ACTIONS)
            missing = tuple(lacks) if has_some and not manages and not delegated else ()
            return LoginRights(text(has.get("username")) or "", manages, keys, delegated, missing)
        except (NotFound, NotSupported, PermissionDenied, Rejected):
            return None

    async def _globals(self) -> list[Any] | None:
        """Return what the login's roles have under ``global``; None: Elasticsearch does not report it."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_user_privileges()
        except Rejected:
            # Elasticsearch does not report it there for an API key with its own rights.
            return await self._globals_of_key()
        given = mapping(answer.body).get("global")
        return None if given is None else objects(given)

    async def _globals_of_key(self) -> list[Any] | None:
        with mapped():
            api = await self._api()
            me = mapping((await api.security.authenticate()).body)
            key_id = text(mapping(me.get("api_key")).get("id"))
            if not key_id:
                return None
            found = await api.security.get_api_key(id=key_id)
        descriptors = [mapping(key.get("role_descriptors")) for key in objects(mapping(found.body).get("api_keys"))]
        # Without any, the key has all rights of its owner.
        return [mapping(role).get("global") for roles in descriptors for role in roles.values()] or None


def delegated_by(parts: Iterable[Any]) -> tuple[Delegation, ...]:
    """Return what ``global`` parts of roles delegate; what cannot be read of them delegates nothing."""
    entries = [
        entry
        for part in parts
        for entry in objects(mapping(mapping(mapping(part).get("role")).get("manage")).get("indices"))
    ]
    read = [Delegation(texts(entry.get("names")), texts(entry.get("privileges"))) for entry in entries]
    return tuple(sorted((each for each in read if each.names and each.privileges), key=repr))
