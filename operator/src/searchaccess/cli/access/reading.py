"""Reads a cluster's security once: what the login may not read is noted, and the rest is answered all the same."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from searchaccess.core.answers.access.state import SecurityState, anonymous_in, realms_in
from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.ports.answers import AnswersPort
from searchaccess.ports.errors import ExternalError, PermissionDenied, Rejected, Unexpected

T = TypeVar("T")

_ALL = "*"
_SEES = "view_index_metadata"


class SecurityPort(AnswersPort, Protocol):
    """What a read needs of a cluster."""

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles."""

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings."""

    async def index_names(self) -> IndexNames | None:
        """Read the names of indices, aliases and data streams."""


async def read_security(port: SecurityPort) -> SecurityState:
    """Read roles, role mappings, users, API keys, service accounts, realms and names (a request each, all at once).

    Args:
        port: the cluster.

    Raises:
        ExternalError: it does not respond properly, or refuses the login.
    """
    why = dict[str, str]()

    async def tried(what: str, reading: Awaitable[T]) -> T | None:
        try:
            return await reading
        except (PermissionDenied, Rejected, Unexpected) as error:
            why[what] = error.message
            return None

    results: Any = await asyncio.gather(
        tried("roles", port.roles(None)),
        tried("role mappings", port.mappings(None)),
        tried("users", port.all_users()),
        tried("API keys", port.all_keys()),
        tried("service accounts", port.service_accounts()),
        tried("settings of realms and of anonymous access", port.security_settings()),
        tried("aliases and data streams", port.index_names()),
        tried("whether all names are seen", port.may([_ALL], [_SEES])),
        return_exceptions=True,
    )
    failed = [each for each in results if isinstance(each, BaseException)]
    if failed:
        expected = [each for each in failed if isinstance(each, ExternalError)]
        raise (expected or failed)[0]
    roles, mappings, users, keys, services, settings, names, sees = results
    return SecurityState(
        roles=roles,
        mappings=mappings,
        users=users,
        keys=keys,
        services=services,
        realms=None if settings is None else realms_in(settings),
        anonymous=None if settings is None else anonymous_in(settings),
        names=names,
        sees_all=bool(sees and sees[_ALL][_SEES]),
        why=why,
    )
