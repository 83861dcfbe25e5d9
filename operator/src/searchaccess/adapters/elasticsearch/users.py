"""Users of Elasticsearch's native realm, by the official asynchronous client."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.part import OTHERS, ClientPart
from searchaccess.adapters.elasticsearch.readers import all_of, users_of
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.intake.reading import mapping
from searchaccess.ports.elasticsearch import MadeKey
from searchaccess.ports.errors import NotFound, PermissionDenied, Unexpected

PAGE: Final = 1000
_RANDOM: Final = 4
"""Random bytes after a user's name, so that a delayed request never changes the password of a user created later."""
_PASSWORD: Final = 32
"""Bytes; bcrypt, which Elasticsearch uses by default, takes 72 characters into account."""


class UsersClient(ClientPart):
    """The part of the client that is about users."""

    async def users(self, prefix: str) -> Sequence[dict[str, Any]]:
        """Read all users of the native realm whose names begin with a prefix."""
        found: list[dict[str, Any]] = []
        after: list[str] | None = None
        while True:
            with mapped():
                api = await self._api()
                answer = await api.security.query_user(
                    query={"prefix": {"username": {"value": prefix}}}, size=PAGE, sort=["username"], search_after=after
                )
            page, last = users_of(answer.body, PAGE)
            found += page
            if not last or after == [last]:
                return found
            after = [last]

    async def holders(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the users of the native realm that have a role with a name prefix."""
        has, ours = ({"prefix": {name: {"value": prefix}}} for name in ("roles", "username"))
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.query_user(
                    query={"bool": {"filter": [has], "must_not": [ours]}}, size=OTHERS
                )
        except PermissionDenied:
            return None
        return all_of(lambda body: users_of(body, OTHERS)[0], answer.body)

    async def create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:
        """Make a user with a random password."""
        whole, password = f"{name}.{secrets.token_hex(_RANDOM)}", secrets.token_urlsafe(_PASSWORD)
        with mapped():
            api = await self._api()
            answer = await api.security.put_user(
                username=whole, password=password, roles=[whole], metadata=dict(metadata), enabled=True
            )
        if mapping(answer.body).get("created") is not True:
            raise Unexpected("Elasticsearch: a user of this random name already exists")
        return MadeKey(whole, Sealed(password))

    async def note_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Replace a user's metadata and roles. Without a password it is refused where there is no such user."""
        with mapped():
            api = await self._api()
            await api.security.put_user(username=name, roles=[name], metadata=dict(metadata), enabled=True)

    async def delete_users(self, names: Sequence[str]) -> None:
        """Delete users."""
        for name in names:
            try:
                with mapped():
                    api = await self._api()
                    await api.security.delete_user(username=name)
            except NotFound:
                continue
