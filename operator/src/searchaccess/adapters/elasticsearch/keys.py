"""API keys, by the official asynchronous client."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.node import sent_once
from searchaccess.adapters.elasticsearch.part import AT_A_TIME, OTHERS, ClientPart
from searchaccess.adapters.elasticsearch.readers import all_of, keys_of, made_key_of, written_of
from searchaccess.adapters.longanswers import decoded
from searchaccess.core.credentials.credential import DESCRIPTOR
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.intake.reading import mapping, readable_list
from searchaccess.ports.elasticsearch import MadeKey, Written
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected, Unexpected

MOST: Final = 5000
"""Keys that are compared one by one; an index returns 10,000 in one answer at most."""


class KeysClient(ClientPart):
    """The part of the client that is about API keys."""

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        """Read all API keys that still work and whose names match a pattern."""
        with mapped():
            api = await self._api()
            answer = await api.security.get_api_key(name=pattern, active_only=True)
        found, body = list[dict[str, Any]](), keys_of(await decoded(answer.body))
        for start in range(0, len(body), AT_A_TIME):
            found += readable_list(body[start : start + AT_A_TIME])
            await asyncio.sleep(0)
        return found

    async def owned_keys(self, realm: str, besides: str = "") -> Sequence[dict[str, Any]] | None:
        """Read the API keys that users of a realm own, with the roles that limit them."""
        not_these = [{"term": {"username": {"value": besides}}}] if besides else []
        return await self._owned({"term": {"realm_name": {"value": realm}}}, not_these)

    async def keys_of_users(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the API keys of users with a name prefix."""
        return await self._owned({"prefix": {"username": {"value": prefix}}}, [])

    async def changed_keys(self, since: float) -> Sequence[dict[str, Any]] | None:
        """Read the API keys that were created or invalidated since a time."""
        after = {"gte": math.floor(since * 1000)}
        either = [{"range": {name: after}} for name in ("creation", "invalidation")]
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.query_api_keys(query={"bool": {"should": either}}, size=OTHERS)
        except (PermissionDenied, Rejected):
            # Refused too: by a release that does not know such a query.
            return None
        return all_of(keys_of, await decoded(answer.body))

    async def every_key(self) -> Sequence[dict[str, Any]] | None:
        """Read all API keys, also those that no longer work."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.query_api_keys(size=MOST)
        except (PermissionDenied, Rejected):
            return None
        return all_of(keys_of, await decoded(answer.body))

    async def _owned(self, these: dict[str, Any], besides: list[dict[str, Any]]) -> Sequence[dict[str, Any]] | None:
        works = [these, {"term": {"invalidated": {"value": False}}}]
        not_these = [{"range": {"expiration": {"lte": "now"}}}, *besides]
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.query_api_keys(
                    query={"bool": {"filter": works, "must_not": not_these}}, size=OTHERS, with_limited_by=True
                )
        except PermissionDenied:
            return None
        return all_of(keys_of, await decoded(answer.body))

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        """Make an API key. All reads find it when this returns. It is sent once: twice would make two keys."""
        api = await self._api()
        with mapped(), sent_once():
            answer = await api.security.create_api_key(
                name=name,
                expiration=_duration(lifetime),
                # Never empty: without a descriptor it would have all rights of the operator's login.
                role_descriptors={DESCRIPTOR: rights.to_json()},
                metadata=dict(metadata),
            )
        return made_key_of(answer.body, lifetime)

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        """Replace the rights of API keys, in one request."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_update_api_keys(
                ids=list(ids), role_descriptors={DESCRIPTOR: rights.to_json()}
            )
        return written_of(answer.body, ("updated",), "noops")

    async def refresh_keys(self, ids: Sequence[str]) -> Written:
        """Limit API keys by the login's present rights: every update applies them."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_update_api_keys(ids=list(ids))
        return written_of(answer.body, ("updated",), "noops")

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        """Let API keys work for longer, in one request."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_update_api_keys(ids=list(ids), expiration=_duration(lifetime))
        return written_of(answer.body, ("updated",), "noops")

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace an API key's metadata."""
        with mapped():
            api = await self._api()
            await api.security.update_api_key(id=key_id, metadata=dict(metadata))

    async def revoke_keys(self, ids: Sequence[str]) -> None:
        """Invalidate API keys, in one request."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.invalidate_api_key(ids=list(ids))
        except NotFound:
            return
        if mapping(answer.body).get("error_count") != 0:
            raise Unexpected("Elasticsearch: not all keys could be invalidated")


def _duration(lifetime: float) -> str:
    return f"{math.ceil(lifetime)}s"
