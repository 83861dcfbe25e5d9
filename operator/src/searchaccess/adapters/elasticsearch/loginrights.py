"""What the operator's login may do, by the official asynchronous client."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Final

from elasticsearch import AsyncElasticsearch

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.core.model.intake.reading import mapping, objects, text, texts
from searchaccess.core.policy.delegation import Delegation
from searchaccess.core.policy.login import LoginRights
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected

MANAGES: Final = "manage_security"
ISSUES_KEYS: Final = "manage_api_key"


class LoginClient(ABC):
    """The part of the client that is about its own login."""

    @abstractmethod
    async def _api(self) -> AsyncElasticsearch:
        """Return the client with a login that is good now."""

    async def login_rights(self) -> LoginRights | None:
        """Read what the operator's login may do; None: it is not said."""
        try:
            with mapped():
                api = await self._api()
                has = mapping((await api.security.has_privileges(cluster=[MANAGES, ISSUES_KEYS])).body)
            cluster = mapping(has.get("cluster"))
            manages, keys = cluster.get(MANAGES) is True, cluster.get(ISSUES_KEYS) is True
            delegated = () if manages else delegated_by(await self._globals())
            return LoginRights(text(has.get("username")) or "", manages, keys, delegated)
        except (NotFound, PermissionDenied, Rejected):
            return None

    async def _globals(self) -> list[Any]:
        """Return what the login's roles have under ``global``."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_user_privileges()
        except Rejected:
            # Of an API key with rights of its own, Elasticsearch does not say it there.
            return await self._globals_of_key()
        return objects(mapping(answer.body).get("global"))

    async def _globals_of_key(self) -> list[Any]:
        with mapped():
            api = await self._api()
            me = mapping((await api.security.authenticate()).body)
            found = await api.security.get_api_key(id=text(mapping(me.get("api_key")).get("id")))
        descriptors = [mapping(key.get("role_descriptors")) for key in objects(mapping(found.body).get("api_keys"))]
        return [mapping(role).get("global") for roles in descriptors for role in roles.values()]


def delegated_by(parts: Iterable[Any]) -> tuple[Delegation, ...]:
    """Return what ``global`` parts of roles delegate; what cannot be read of them delegates nothing."""
    entries = [
        entry
        for part in parts
        for entry in objects(mapping(mapping(mapping(part).get("role")).get("manage")).get("indices"))
    ]
    read = [Delegation(texts(entry.get("names")), texts(entry.get("privileges"))) for entry in entries]
    return tuple(sorted((each for each in read if each.names and each.privileges), key=repr))
