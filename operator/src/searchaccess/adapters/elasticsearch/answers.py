"""Reads a cluster's security as a whole, by the official asynchronous client."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.part import ClientPart
from searchaccess.adapters.elasticsearch.readers import keys_of
from searchaccess.adapters.longanswers import decoded
from searchaccess.core.model.intake.reading import mapping, readable, readable_list, within
from searchaccess.ports.errors import LoginRefused, NotFound, PermissionDenied, Unexpected

_RUN_AS: Final = "es-security-runas-user"
_AUTHC: Final = ",".join(
    f"nodes.*.settings.xpack.security.authc.{part}"
    for part in (
        "anonymous.roles",
        "realms.*.*.order",
        "realms.*.*.allowed_issuer",
        "realms.*.*.authorization_realms",
        "realms.*.*.claims",
        "realms.*.*.claim_patterns",
    )
)


class AnswersClient(ClientPart):
    """The part of the client that answers who may do what."""

    async def all_users(self) -> Mapping[str, dict[str, Any]]:
        """Read all users of the native and the reserved realm."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_user()
        except NotFound:
            return {}
        return readable(mapping(await decoded(answer.body)))

    async def all_keys(self) -> Sequence[dict[str, Any]]:
        """Read all API keys that work, with the roles that limit them."""
        with mapped():
            api = await self._api()
            answer = await api.security.get_api_key(active_only=True, with_limited_by=True)
        keys = keys_of(await decoded(answer.body))
        # What cannot be read must not look as if it were not there.
        return [key if readable_list([key]) else {"id": key.get("id"), "username": key.get("username")} for key in keys]

    async def service_accounts(self) -> Mapping[str, dict[str, Any]]:
        """Read Elasticsearch's own service accounts."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_service_accounts()
        except NotFound:
            return {}
        return readable(mapping(await decoded(answer.body)))

    async def security_settings(self) -> Mapping[str, Any]:
        """Read which realms the nodes have, and which roles requests without a login get."""
        with mapped():
            api = await self._api()
            answer = await api.nodes.info(metric="settings", filter_path=_AUTHC)
        nodes = mapping(mapping(answer.body).get("nodes"))
        return {name: node for name, node in nodes.items() if within(node)}

    async def may(
        self, names: Sequence[str], privileges: Sequence[str], acting_as: str = ""
    ) -> Mapping[str, Mapping[str, bool]]:
        """Ask which privileges this login, or a user as whom it acts, has on indices."""
        try:
            with mapped():
                api = await self._api()
                api = api.options(headers={_RUN_AS: acting_as}) if acting_as else api
                asked: dict[str, Any] = {"names": list(names), "privileges": list(privileges)}
                if any(name.startswith(".") for name in names):
                    asked["allow_restricted_indices"] = True
                answer = await api.security.has_privileges(index=[asked])
        except LoginRefused:
            if acting_as:
                raise PermissionDenied("Elasticsearch: this login may not act as the user, or there is none") from None
            raise
        found = mapping(mapping(answer.body).get("index"))
        has = {name: mapping(found.get(name)) for name in names}
        if not all(isinstance(has[name].get(one), bool) for name in names for one in privileges):
            raise Unexpected("Elasticsearch: its response does not say which privileges there are")
        return {name: {one: has[name][one] for one in privileges} for name in names}

    async def who(self) -> Mapping[str, Any]:
        """Ask who this login is."""
        with mapped():
            api = await self._api()
            answer = await api.security.authenticate()
        return mapping(answer.body)

    async def finds(self, index: str, document: str, queries: Sequence[str]) -> bool | None:
        """Ask whether a document matches any of some queries."""
        wanted: dict[str, Any] = {"ids": {"values": [document]}}
        named: dict[str, Any] = {"bool": {"should": [json.loads(query) for query in queries], "_name": "shown"}}
        with mapped():
            api = await self._api()
            answer = await api.search(
                index=index,
                query={"bool": {"filter": [wanted], "should": [named] if queries else []}},
                size=1,
                source=False,
                filter_path="hits.hits._id,hits.hits.matched_queries",
            )
        hits = mapping(mapping(answer.body).get("hits")).get("hits")
        if not isinstance(hits, list) or not hits:
            return None
        return not queries or "shown" in (mapping(hits[0]).get("matched_queries") or ())
