"""Requests to Vault with a valid token.

https://developer.hashicorp.com/vault/api-docs
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from searchaccess.adapters.answers import body_of, decode
from searchaccess.adapters.trust import trusting
from searchaccess.adapters.vault.errors import by_status, mapped
from searchaccess.api.stores.vault import VaultJwt, VaultKubernetes, VaultStore
from searchaccess.core.clusters.vault import VaultAccess
from searchaccess.core.model.intake.reading import whole_number
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import LoginRefused, PermissionDenied, Rejected, Unexpected, Unreachable

TIMEOUT: Final = 10.0
"""Seconds of a whole request: connecting, sending and reading the answer."""
LONGEST: Final = 1024 * 1024
"""Bytes of an answer: by default, Vault itself stores no entry that is longer."""
RENEW_AFTER: Final = 2 / 3
"""Part of a token's lifetime after which it is replaced or renewed."""
_FOREVER: Final = 3600.0
"""Seconds after which a token without expiry is read again, because its Secret may have another."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
"""What can be sent as a header."""
_SUCCESS: Final = frozenset({200, 204})
_LOGIN: Final = "login"


@dataclass(slots=True, eq=False)
class _Login:
    http: aiohttp.ClientSession
    token: str = field(default="", repr=False)
    until: float = 0.0
    """When it is to be renewed, on the monotonic clock."""
    users: int = 0
    """Requests in flight. The last one of a replaced login closes its connections."""


class VaultSession:
    """One Vault, logged in when it is needed.

    Args:
        store: what the SearchCluster says.
        access: reads what is kept outside of it.
        jwt: gives the token to log in with by JWT or Kubernetes.
        clock: says when a token is to be renewed.
    """

    def __init__(
        self,
        store: VaultStore,
        access: Callable[[], Awaitable[VaultAccess]],
        jwt: Callable[[], Awaitable[str]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._access = access
        self._jwt = jwt
        self._clock = clock
        self._login: _Login | None = None
        self._opening = asyncio.Lock()

    async def ask(
        self,
        what: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Make a request; log in first, if need be, and once more if the login is refused.

        Args:
            what: for messages.
            method: of HTTP.
            path: below ``/v1/``.
            body: sent as JSON.
            query: parameters.

        Returns:
            The object that is the answer; an empty one: it has no body.

        Raises:
            ExternalError: it was not done, or its answer is missing.
        """
        async with self._logged_in() as (login, fresh):
            try:
                return await self._request(login, what, method, path, body, query)
            except PermissionDenied:
                if fresh:
                    raise
            # Vault answers the same to an expired token and to a forbidden request.
            if self._login is login:
                self._login = None
        async with self._logged_in() as (login, _):
            return await self._request(login, what, method, path, body, query)

    @asynccontextmanager
    async def _logged_in(self) -> AsyncIterator[tuple[_Login, bool]]:
        """Return a login for one request, and whether it was made just now."""
        async with self._opening:
            login, fresh = self._login, False
            if login is None or self._clock.monotonic() >= login.until:
                await self._retire()
                login, fresh = await self._log_in(), True
                self._login = login
            login.users += 1
        try:
            yield login, fresh
        finally:
            login.users -= 1
            if login is not self._login and not login.users:
                await login.http.close()

    async def _retire(self) -> None:
        """Retire a login; requests in flight continue."""
        login, self._login = self._login, None
        if login is not None and not login.users:
            await login.http.close()

    async def close(self) -> None:
        """Close connections."""
        async with self._opening:
            await self._retire()

    async def _log_in(self) -> _Login:
        access, started = await self._access(), self._clock.monotonic()
        context = trusting(access.ca, "Vault's ca")
        role = self._store.auth.jwt or self._store.auth.kubernetes
        given = await self._jwt() if role else access.token
        async with AsyncExitStack() as closing:
            login = _Login(await closing.enter_async_context(_connections(context)))
            try:
                lifetime = await (self._authenticate(login, role, given) if role else self._renew(login, given))
            except Rejected:
                raise LoginRefused(f"Vault, login: it rejects the login with the {_way(role)}") from None
            except PermissionDenied:
                raise LoginRefused(f"Vault, login: the {_way(role)} is refused") from None
            closing.pop_all()
        login.until = started + (lifetime * RENEW_AFTER if lifetime else _FOREVER)
        return login

    async def _authenticate(self, login: _Login, role: VaultJwt | VaultKubernetes, jwt: str) -> float:
        """Get a token; return the seconds for which it is valid, 0: forever."""
        body = {"role": role.role, "jwt": jwt}
        auth = _object(await self._request(login, _LOGIN, "POST", f"auth/{role.mount}/login", body), "auth")
        login.token = _sendable(auth.get("client_token"))
        return _lifetime(auth.get("lease_duration"))

    async def _renew(self, login: _Login, token: str) -> float:
        """Renew a given token; return the seconds for which it is valid, 0: forever."""
        login.token = _sendable(token)
        known = _object(await self._request(login, _LOGIN, "GET", "auth/token/lookup-self"), "data")
        if not known.get("renewable"):
            return _lifetime(known.get("ttl"))
        answer = await self._request(login, _LOGIN, "POST", "auth/token/renew-self", {})
        return _lifetime(_object(answer, "auth").get("lease_duration"))

    async def _request(
        self,
        login: _Login,
        what: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        whose = f"Vault, {what}"
        url = _url(whose, self._store.address, path).with_query(query)
        headers = {"X-Vault-Request": "true"}
        if login.token:
            headers["X-Vault-Token"] = login.token
        if self._store.namespace:
            headers["X-Vault-Namespace"] = self._store.namespace
        with mapped(whose):
            # A redirect is not followed, so that the token is sent nowhere else.
            asked = login.http.request(method, url, json=body, headers=headers, allow_redirects=False)
            async with asked as response:
                return answer_of(whose, response.status, await body_of(response, whose, LONGEST))


def answer_of(whose: str, status: int, body: bytes) -> Mapping[str, Any]:
    """Read an answer; one without a body is an empty object.

    Args:
        whose: for messages.
        status: of the answer.
        body: of the answer.

    Raises:
        ExternalError: it is no success, or no object.
    """
    if status not in _SUCCESS:
        raise by_status(whose, status, body)
    try:
        answer = decode(body) if body else {}
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unexpected(f"{whose}: its response is not understood")
    return answer


def _connections(context: ssl.SSLContext) -> aiohttp.ClientSession:
    """Return connections that ignore the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT),
        trust_env=False,
    )


def _url(whose: str, address: str, path: str) -> URL:
    """Return the address of a path, whose segments cannot lead anywhere else.

    Raises:
        Rejected: one of them could.
        Unreachable: there is no such address.
    """
    if {"", ".", ".."} & set(path.split("/")):
        raise Rejected(f"{whose}: not a valid path in Vault")
    try:
        return URL(address).with_path("/v1/" + quote(path, safe="/"), encoded=True)
    except ValueError:
        raise Unreachable(f"{whose}: its address cannot be used") from None


def _way(role: VaultJwt | VaultKubernetes | None) -> str:
    return f"role {role.role}" if role else "token"


def _object(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object in the answer to a login.

    Raises:
        Unexpected: there is none.
    """
    found = answer.get(key)
    if not isinstance(found, Mapping):
        raise Unexpected("Vault, login: its response is not understood")
    return found


def _sendable(token: Any) -> str:
    """Return a token that can be sent as a header.

    Raises:
        LoginRefused: it cannot.
    """
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise LoginRefused("Vault, login: the token is missing, or has characters that cannot be sent in a header")
    return token


def _lifetime(value: Any) -> float:
    """Read the lifetime of a token in seconds; 0: forever, or not known."""
    return float(whole_number(value) or 0)
