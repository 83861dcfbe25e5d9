"""Connections to Vault with a token that is good now, by the client hvac."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import hvac
from requests import Session
from requests.adapters import HTTPAdapter

from searchaccess.adapters.trust import trusting
from searchaccess.adapters.vault.errors import mapped
from searchaccess.api.vault import VaultStore
from searchaccess.core.clusters.vault import VaultAccess
from searchaccess.core.model.reading import whole_number
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import LoginRefused, PermissionDenied, Rejected

TIMEOUT: Final = 10.0
"""Seconds."""
RENEW_AFTER: Final = 2 / 3
"""Part of a token's lifetime after which there must be another, or a longer one."""
_FOREVER: Final = 3600.0
"""Seconds after which a token without an end is looked at again: another may be in its Secret."""


class _Trusting(HTTPAdapter):
    """Trusts the declared authorities and no other.

    Args:
        ca: certificates in PEM form; empty: the system's.
    """

    def __init__(self, ca: str) -> None:
        self._context = trusting(ca, "Vault's ca")
        super().__init__()

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Leave out the library's own bundle of authorities: it would be trusted beside ours."""
        del verify
        host, pool = super().build_connection_pool_key_attributes(request, verify=False, cert=cert)
        pool |= {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context}
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the context above says it all."""


@dataclass(frozen=True, slots=True)
class _Open:
    client: Any
    session: Session
    until: float
    """When it is to be renewed, on the monotonic clock."""


class VaultSession:
    """One Vault, logged in when it is needed.

    Args:
        store: what the SearchCluster says.
        access: reads what is kept outside of it.
        jwt: gives the token to log in with by JWT or Kubernetes.
        clock: tells when a token is to be renewed.
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
        self._open: _Open | None = None
        self._opening = asyncio.Lock()

    async def ask(self, what: str, action: Callable[[Any], Any]) -> Any:
        """Ask something.

        Args:
            what: for messages.
            action: is given the client, and runs in a thread.

        Raises:
            ExternalError: it was not done, or its answer is missing.
        """
        used, fresh = await self._client()
        try:
            return await self._run(what, used, action)
        except PermissionDenied:
            if fresh:
                raise
        # Vault says the same of a token that is not good any more and of what a policy forbids.
        await self._forget(used)
        used, _ = await self._client()
        return await self._run(what, used, action)

    async def _run(self, what: str, used: _Open, action: Callable[[Any], Any]) -> Any:
        def run() -> Any:
            with mapped(f"Vault, {what}"):
                return action(used.client)

        return await asyncio.to_thread(run)

    async def _client(self) -> tuple[_Open, bool]:
        """Give a client, and whether it logged in just now."""
        async with self._opening:
            if self._open and self._clock.monotonic() < self._open.until:
                return self._open, False
            before, self._open = self._open, None
            if before:
                before.session.close()
            self._open = await self._login()
            return self._open, True

    async def _forget(self, used: _Open) -> None:
        async with self._opening:
            if self._open is used:
                self._open = None
                used.session.close()

    async def _login(self) -> _Open:
        access, started = await self._access(), self._clock.monotonic()
        with ExitStack() as closing:
            session = closing.enter_context(Session())
            # Else its proxies, certificates and passwords would be those of the environment.
            session.trust_env = False
            session.mount("https://", _Trusting(access.ca))
            token = access.token or await self._jwt()
            try:
                client, lifetime = await asyncio.to_thread(self._open_client, session, access, token)
            except Rejected:
                raise LoginRefused(f"Vault, login: it refuses the login with this {self._way()}") from None
            except PermissionDenied:
                raise LoginRefused(f"Vault, login: the {self._way()} is refused") from None
            closing.pop_all()
        return _Open(client, session, started + (lifetime * RENEW_AFTER if lifetime else _FOREVER))

    def _open_client(self, session: Session, access: VaultAccess, token: str) -> tuple[Any, float]:
        client = hvac.Client(
            url=self._store.address.rstrip("/"),
            # None would be one of the environment, or of the home folder.
            token="",
            verify=True,
            timeout=TIMEOUT,
            allow_redirects=False,
            session=session,
            namespace=self._store.namespace or "",
        )
        with mapped("Vault, login"):
            return client, self._renew(client, token) if access.token else self._authenticate(client, token)

    def _way(self) -> str:
        auth = self._store.auth
        return f"role {auth.jwt.role}" if auth.jwt else f"role {auth.kubernetes.role}" if auth.kubernetes else "token"

    def _authenticate(self, client: Any, token: str) -> float:
        """Log in; give the seconds for which that is good, 0: for ever."""
        auth = self._store.auth
        if auth.jwt:
            answer = client.auth.jwt.jwt_login(auth.jwt.role, token, use_token=True, path=auth.jwt.mount)
        elif auth.kubernetes:
            kubernetes = auth.kubernetes
            answer = client.auth.kubernetes.login(kubernetes.role, token, mount_point=kubernetes.mount)
        return _lifetime(answer["auth"]["lease_duration"])

    @staticmethod
    def _renew(client: Any, token: str) -> float:
        """Make a token that somebody made last longer; give the seconds that it does."""
        client.token = token
        known = client.auth.token.lookup_self()["data"]
        if known.get("renewable"):
            return _lifetime(client.auth.token.renew_self()["auth"]["lease_duration"])
        return _lifetime(known.get("ttl"))

    async def close(self) -> None:
        """Close connections."""
        if self._open:
            await self._forget(self._open)


def _lifetime(value: Any) -> float:
    """Read seconds of a token; 0: for ever, or not known."""
    return float(whole_number(value) or 0)
