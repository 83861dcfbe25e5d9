"""The floor: the same work by the plainest client, without an operator. Ratios are against this."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import aiohttp

from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesServers

GROUP = "/apis/searchaccess.dev/v1alpha1"
CONCURRENT = 24
CHUNK = 1000


class BareKubernetes:
    """The API server by aiohttp and JSON alone."""

    def __init__(self, servers: KubernetesServers) -> None:
        self._url = servers.url
        context = ssl.create_default_context(cafile=str(servers.ca_file))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONCURRENT, ssl=context),
            headers={"Authorization": f"Bearer {servers.admin_token}"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def list(self) -> list[dict[str, Any]]:
        """List all SearchAccesses, page by page, as the operator does."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            url = f"{self._url}{GROUP}/searchaccesses?limit=500{token}"
            async with self._session.get(url) as answer:
                page = await answer.json()
            found += page["items"]
            if not page["metadata"].get("continue"):
                return found
            token = f"&continue={page['metadata']['continue']}"

    async def create(self, objects: Sequence[dict[str, Any]]) -> None:
        """Create objects."""

        async def one(body: dict[str, Any]) -> None:
            url = f"{self._url}{GROUP}/namespaces/{body['metadata']['namespace']}/searchaccesses"
            async with self._session.post(url, json=body) as answer:
                answer.raise_for_status()

        await at_once([lambda body=body: one(body) for body in objects])  # type: ignore[misc]

    async def patch(self, objects: Sequence[dict[str, Any]], change: dict[str, Any], part: str = "") -> None:
        """Merge-patch objects, or a subresource of each."""
        body = json.dumps(change)
        headers = {"Content-Type": "application/merge-patch+json"}

        async def one(item: dict[str, Any]) -> None:
            meta = item["metadata"]
            url = f"{self._url}{GROUP}/namespaces/{meta['namespace']}/searchaccesses/{meta['name']}{part}"
            async with self._session.patch(url, data=body, headers=headers) as answer:
                answer.raise_for_status()

        await at_once([lambda item=item: one(item) for item in objects])  # type: ignore[misc]


async def at_once(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Make calls, some at once."""
    gate = asyncio.Semaphore(CONCURRENT)

    async def guarded(call: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await call()

    await asyncio.gather(*(guarded(call) for call in calls))


async def bulk_roles(server: ElasticsearchServer, roles: dict[str, Any]) -> None:
    """Write roles by the raw bulk API."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    auth = aiohttp.BasicAuth(server.username, server.password)
    names = list(roles)
    async with aiohttp.ClientSession(auth=auth, connector=aiohttp.TCPConnector(ssl=context)) as session:
        for start in range(0, len(names), CHUNK):
            chunk = {name: roles[name] for name in names[start : start + CHUNK]}
            async with session.post(f"{server.url}/_security/role", json={"roles": chunk}) as answer:
                answer.raise_for_status()
