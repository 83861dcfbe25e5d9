"""Adds the workload's identity to every request, below all API methods of the Elasticsearch clients.

A client, the results of its ``options()``, and its namespaces (``client.indices``) share one transport.
"""

import asyncio
import logging
import os
import re
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from elastic_transport import (
    AsyncTransport,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    Transport,
    TransportApiResponse,
)
from elastic_transport import ConnectionError as Disconnected
from elastic_transport.client_utils import DEFAULT, DefaultType

from searchaccess_client.backoff import wait, wait_async
from searchaccess_client.exchange import ONCE, Exchange, Options
from searchaccess_client.tokens import IdentityTokens

_NAMES = (
    ("K_SERVICE", "K_REVISION"),
    ("CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION"),
    ("CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION"),
)
"""What Cloud Run sets for services, jobs and worker pools: https://cloud.google.com/run/docs/container-contract"""

_SHOWN_SECRET = re.compile(r"(es-client-authentication: \w+ ).*", re.IGNORECASE)

Headers = Mapping[str, Any] | DefaultType


class _HiddenSecret(logging.Filter):
    """Elastic's library logs headers at level DEBUG and hides ``Authorization`` only."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _SHOWN_SECRET.sub(r"\1<hidden>", str(record.msg))
        return True


_HIDDEN_SECRET = _HiddenSecret()


def opaque_id(environment: Mapping[str, str]) -> str:
    """Return the name of this revision or execution; empty outside of Cloud Run."""
    for names in _NAMES:
        if environment.get(names[0]):
            return "/".join(environment[name] for name in names if environment.get(name))
    return ""


class Caller:
    """The caller: its tokens, and the constant headers of its requests.

    Args:
        audience: of the tokens.
        client_secret: the secret that the realm shares with its clients, if it has one.
    """

    def __init__(self, audience: str, client_secret: str | None) -> None:
        self.tokens = IdentityTokens(audience)
        self._opaque_id = opaque_id(os.environ)
        self._client_secret = client_secret
        if client_secret:
            logging.getLogger("elastic_transport.node").addFilter(_HIDDEN_SECRET)

    def headers(self, given: Headers) -> HttpHeaders:
        """Complete a request's headers, except for the token."""
        headers = HttpHeaders() if isinstance(given, DefaultType) else HttpHeaders(given)
        if self._opaque_id:
            headers.setdefault("x-opaque-id", self._opaque_id)
        if self._client_secret:
            headers["es-client-authentication"] = f"SharedSecret {self._client_secret}"
        return headers


def bearing(headers: HttpHeaders, token: str) -> HttpHeaders:
    """Return the headers with the token, if there is one."""
    complete = headers.copy()
    if token:
        complete["authorization"] = f"Bearer {token}"
    return complete


def repeatable(body: Any) -> Any:
    """Return a body that can be sent twice: an iterator would be used up."""
    return list(body) if isinstance(body, Iterator) else body


def require_verified_tls(nodes: Sequence[NodeConfig]) -> None:
    """Refuse to send tokens where others could read them.

    Raises:
        ValueError: a node is reached without TLS, or without verifying its certificate.
    """
    for node in nodes:
        if node.scheme != "https":
            raise ValueError(f"{node.host}:{node.port} must use https: identity tokens are bearer tokens")
        context: ssl.SSLContext | None = node.ssl_context
        hostname: object = node.ssl_assert_hostname  # False skips it.
        lax = context and not (context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED)
        if lax or not node.verify_certs or hostname is False:
            raise ValueError(f"the certificate of {node.host}:{node.port} must be verified: give ca_certs instead")


class IdentityTransport(Transport):
    """A transport whose requests carry the workload's token.

    Args:
        caller: the sender of the requests.
        node_configs: where Elasticsearch is.
        options: as the base class takes them.
    """

    def __init__(self, caller: Caller, node_configs: list[NodeConfig], **options: Any) -> None:
        require_verified_tls(node_configs)
        self._caller = caller
        super().__init__(node_configs, **options)

    def perform_request(
        self,
        method: str,
        target: str,
        *,
        body: Any = None,
        headers: Headers = DEFAULT,
        max_retries: int | DefaultType = DEFAULT,
        retry_on_status: Collection[int] | DefaultType = DEFAULT,
        retry_on_timeout: bool | DefaultType = DEFAULT,
        **options: Any,
    ) -> TransportApiResponse:
        """Send a request with the token, and again where `Attempt` allows it."""
        complete, body = self._caller.headers(headers), repeatable(body)
        given = Options(max_retries, retry_on_status, retry_on_timeout)
        exchange = Exchange(given.rules(self, method, target, complete))
        while True:
            token = self._caller.tokens.get() if exchange.bears_token else ""
            try:
                response = super().perform_request(
                    method, target, body=body, headers=bearing(complete, token), **ONCE, **options
                )
            except (Disconnected, ConnectionTimeout) as error:
                if not exchange.goes_on_after(error):
                    raise
            else:
                if not exchange.goes_on_after(response.meta.status):
                    return response
                if exchange.wants_other_token and not self._caller.tokens.another(token):
                    return response
            if (retries := exchange.pauses_after) is not None:
                wait(retries)


class AsyncIdentityTransport(AsyncTransport):
    """The same for asyncio; tokens are fetched in a thread.

    Args:
        caller: the sender of the requests.
        node_configs: where Elasticsearch is.
        options: as the base class takes them.
    """

    def __init__(self, caller: Caller, node_configs: list[NodeConfig], **options: Any) -> None:
        require_verified_tls(node_configs)
        self._caller = caller
        self._waiting = asyncio.Lock()  # However many tasks wait for a token, they use one thread.
        super().__init__(node_configs, **options)

    async def perform_request(  # type: ignore[override] # The base class is one of the synchronous transport.
        self,
        method: str,
        target: str,
        *,
        body: Any = None,
        headers: Headers = DEFAULT,
        max_retries: int | DefaultType = DEFAULT,
        retry_on_status: Collection[int] | DefaultType = DEFAULT,
        retry_on_timeout: bool | DefaultType = DEFAULT,
        **options: Any,
    ) -> TransportApiResponse:
        """Send a request with the token, and again where `Attempt` allows it."""
        complete, body = self._caller.headers(headers), repeatable(body)
        given = Options(max_retries, retry_on_status, retry_on_timeout)
        exchange = Exchange(given.rules(self, method, target, complete))
        while True:
            token = await self._token() if exchange.bears_token else ""
            try:
                response = await super().perform_request(
                    method, target, body=body, headers=bearing(complete, token), **ONCE, **options
                )
            except (Disconnected, ConnectionTimeout) as error:
                if not exchange.goes_on_after(error):
                    raise
            else:
                if not exchange.goes_on_after(response.meta.status):
                    return response
                if exchange.wants_other_token and not await self._another(token):
                    return response
            if (retries := exchange.pauses_after) is not None:
                await wait_async(retries)

    async def _token(self) -> str:
        if token := self._caller.tokens.at_hand():
            return token
        async with self._waiting:
            return await asyncio.to_thread(self._caller.tokens.get)

    async def _another(self, refused: str) -> str | None:
        async with self._waiting:
            return await asyncio.to_thread(self._caller.tokens.another, refused)
