"""The login of a gateway, and as whom it may run, by the official asynchronous client."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from elastic_transport import ApiError

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.part import ClientPart
from searchaccess.adapters.longanswers import decoded
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.proof import Answer, answer_of
from searchaccess.core.model.intake.reading import mapping, readable, text
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied

_HEADER: Final = "es-security-runas-user"
_SETTING: Final = ("xpack", "security", "authc", "run_as", "enabled")
_FILTER: Final = "nodes.*.name,nodes.*.settings.xpack.security.authc.run_as"


class GatewayClient(ClientPart):
    """The part of the client that is about a gateway's login."""

    async def users_named(self, names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Read users of the native realm by name."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_user(username=list(names))
        except NotFound:
            return {}
        found = readable(answer.body)
        return {name: found[name] for name in names if name in found}

    async def put_gateway_user(
        self, name: str, role: str, metadata: Mapping[str, Any], password: Sealed | None
    ) -> None:
        """Write a user with one role; without a password, an existing one keeps its own."""
        secret = password.reveal() if password else None
        with mapped():
            api = await self._api()
            await api.security.put_user(
                username=name, roles=[role], metadata=dict(metadata), enabled=True, password=secret
            )

    async def authenticate_as(self, user: str) -> Answer:
        """Ask who this login is when it runs as a user."""
        try:
            with mapped():
                api = await self._api()
                try:
                    answer = await api.options(headers={_HEADER: user}).security.authenticate()
                except ApiError as error:
                    return answer_of(error.meta.status, None, "")
        except ExternalError as error:
            return Answer(trouble=error.message)
        return answer_of(200, answer.body, "")

    async def privileges_as(self, user: str) -> Mapping[str, Any]:
        """Read what a user really has, on the node that answers."""
        with mapped():
            api = await self._api()
            as_user = api.options(headers={_HEADER: user}) if user else api
            answer = await as_user.security.get_user_privileges()
            return mapping(await decoded(answer.body))

    async def nodes_without_run_as(self) -> Sequence[str] | None:
        """Read which nodes have run_as switched off."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.nodes.info(metric="settings", filter_path=_FILTER)
        except PermissionDenied:
            return None
        nodes = mapping(mapping(answer.body).get("nodes")).values()
        return sorted(text(mapping(node).get("name")) or "?" for node in nodes if _is_off(mapping(node)))


def _is_off(node: Mapping[str, Any]) -> bool:
    value: Any = node.get("settings")
    for part in _SETTING:
        value = mapping(value).get(part)
    return str(value).lower() == "false"
