"""Users of Elasticsearch's native realm, by the official asynchronous client."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.node import sent_once
from searchaccess.adapters.elasticsearch.part import OTHERS, ClientPart
from searchaccess.adapters.elasticsearch.readers import all_of, users_of
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.intake.reading import mapping, readable
from searchaccess.ports.elasticsearch import MadeKey, Written
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied, TransientError, Unexpected
from searchaccess.ports.tasks import first_error_alone

PAGE: Final = 1000
Item = TypeVar("Item")
_RANDOM: Final = 4
"""Random bytes after a user's name, so that a delayed request never changes the password of a user created later."""
_PASSWORD: Final = 32
"""Bytes; bcrypt, which Elasticsearch uses by default, takes 72 characters into account."""


AT_A_TIME: Final = 16
"""Users that are written at a time: Elasticsearch writes its log to the disk once for several of them."""
_BCRYPT: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
"""The alphabet of bcrypt's base 64."""
_OF_BYTES: Final = (_BCRYPT * 4).encode()
"""By value of a byte, a character."""
_HASHED: Final = 53
"""Characters of salt (22) and hash (31)."""


def random_hash() -> str:
    """Return a bcrypt hash of no password that anybody knows: none was ever hashed."""
    # 64 characters divide the values of a byte evenly. One by one, they would take half as long as the request itself.
    return "$2a$10$" + secrets.token_bytes(_HASHED).translate(_OF_BYTES).decode()


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
        """Make a user with a random password. It is sent once: the second answer would say that the user exists."""
        whole, password = f"{name}.{secrets.token_hex(_RANDOM)}", secrets.token_urlsafe(_PASSWORD)
        api = await self._api()
        with mapped(), sent_once():
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

    async def user(self, name: str) -> dict[str, Any] | None:
        """Read a user. One alone is read by its id, so that what was just written is there."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_user(username=name)
        except NotFound:
            return None
        return readable(answer.body).get(name)

    async def put_users(self, users: Sequence[NativeUser]) -> Written:
        """Write users with random hashes. Without a refresh they can be run as at once all the same (measured)."""

        async def put(user: NativeUser) -> bool:
            api = await self._api()
            await api.security.put_user(
                username=user.name, password_hash=random_hash(), refresh=False, **user.to_json()
            )
            return True

        return await _each({user.name: user for user in users}, put)

    async def remove_users(self, names: Sequence[str]) -> Written:
        """Delete users."""

        async def remove(name: str) -> bool:
            try:
                with mapped():
                    api = await self._api()
                    await api.security.delete_user(username=name, refresh=False)
            except NotFound:
                return False
            return True

        return await _each({name: name for name in names}, remove)

    async def delete_users(self, names: Sequence[str]) -> None:
        """Delete users."""
        for name in names:
            try:
                with mapped():
                    api = await self._api()
                    await api.security.delete_user(username=name)
            except NotFound:
                continue


async def _each(items: Mapping[str, Item], write: Callable[[Item], Awaitable[bool]]) -> Written:
    """Write some objects at a time.

    Args:
        items: the objects by name.
        write: writes one; returns whether that changed anything.

    Raises:
        TransientError: the cluster does not respond properly; some may be written.
    """
    written, left = Written(), iter(items.items())

    async def work() -> None:
        for name, item in left:
            try:
                with mapped():
                    changed = await write(item)
            except TransientError:
                raise
            except ExternalError as error:
                written.refused[name] = error
            else:
                (written.changed if changed else written.unchanged).add(name)

    with first_error_alone():
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_A_TIME, len(items))):
                group.create_task(work())
    return written
