"""Requests to gateways: which configuration a pod has loaded, and whether callers are verified."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Final

import aiohttp

from searchaccess.adapters.answers import as_text, body_of
from searchaccess.adapters.trust import trusting
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.proof import PATH, Answer, answer_of
from searchaccess.core.gateway.render import loaded_version
from searchaccess.ports.errors import ExternalError, LoginMissing, Unexpected, Unreachable

PORT: Final = 9902
"""Port at which a pod reports its own state."""
TIMEOUT: Final = 5.0
"""Seconds for a pod's answer."""
CALL_TIMEOUT: Final = 15.0
"""Seconds for an answer through the gateway."""
TOKEN_TIMEOUT: Final = 20.0
"""Seconds for a token of the operator's own."""
_LONGEST: Final = 65536
_OK: Final = 200


class HttpGatewayCalls:
    """Requests to gateways, by HTTP.

    Args:
        own_tokens: gives identity tokens of the operator's own for an audience.
        port: of a pod.
    """

    def __init__(self, own_tokens: Callable[[str], Awaitable[str]] | None = None, port: int = PORT) -> None:
        self._own_tokens = own_tokens
        self._port = port

    async def version_of(self, pod: Pod) -> str:
        """Return which configuration a pod has loaded."""
        try:
            address = ip_address(pod.address)
        except ValueError:
            raise Unexpected("its address is not an IP address") from None
        host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
        try:
            async with (
                _session(TIMEOUT) as session,
                session.get(f"http://{host}:{self._port}/version", allow_redirects=False) as answer,
            ):
                body = as_text(await body_of(answer, "the pod", _LONGEST)).strip()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(_cause(error)) from None
        if status != _OK:
            # It has loaded none, or parts of two.
            return ""
        return loaded_version(body)

    async def call(self, url: str, ca: str, headers: Mapping[str, str], token: Sealed | None) -> Answer:
        """Ask who a caller is to Elasticsearch, through the gateway."""
        sent = dict(headers) | ({"Authorization": f"Bearer {token.reveal()}"} if token else {})
        try:
            context = trusting(ca, "spec.identity.gateway.ca")
            async with (
                _session(CALL_TIMEOUT) as session,
                session.get(f"{url.rstrip('/')}{PATH}", headers=sent, ssl=context, allow_redirects=False) as answer,
            ):
                body = await body_of(answer, "the gateway", _LONGEST)
                status = answer.status
        except ExternalError as error:
            return Answer(trouble=error.message)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Answer(trouble=_cause(error))
        shown = as_text(body)
        try:
            parsed = json.loads(shown)
        except (ValueError, RecursionError):
            parsed = None
        return answer_of(status, parsed, shown)

    async def own_token(self, audience: str) -> Sealed | None:
        """Return an identity token of the operator's own; None: it has no identity of its own."""
        if self._own_tokens is None:
            return None
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT):
                return Sealed(await self._own_tokens(audience))
        except (LoginMissing, TimeoutError):
            return None


def _session(seconds: float) -> aiohttp.ClientSession:
    # A new connection for each: requests are rare, and a gateway's pods come and go.
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=seconds), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )


def _cause(error: BaseException) -> str:
    """Return the kind of an error: its own text may have a header in it."""
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate could not be verified"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "it cannot be connected to"
    return f"the connection failed ({type(error).__name__})"
