"""The plainest clients of both sides: no operator, no checks."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import aiohttp

GROUP = "/apis/searchaccess.dev/v1alpha1"
CONCURRENT = 24
CHUNK = 1000

Change = Callable[[dict[str, Any]], object]


class BareKubernetes:
    """The API server by aiohttp and JSON alone."""

    def __init__(self, url: str, ca_file: str, token: str) -> None:
        self._url = url
        context = ssl.create_default_context(cafile=ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONCURRENT, ssl=context),
            headers={"Authorization": f"Bearer {token}"},
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

    async def patch(self, objects: Sequence[dict[str, Any]], change: Change, part: str = "") -> None:
        """Merge-patch objects, or a subresource of each.

        Args:
            objects: which ones.
            change: gives the patch of an object.
            part: such as ``/status``.
        """
        headers = {"Content-Type": "application/merge-patch+json"}

        async def one(item: dict[str, Any]) -> None:
            meta = item["metadata"]
            url = f"{self._url}{GROUP}/namespaces/{meta['namespace']}/searchaccesses/{meta['name']}{part}"
            async with self._session.patch(url, data=json.dumps(change(item)), headers=headers) as answer:
                answer.raise_for_status()

        await at_once([lambda item=item: one(item) for item in objects])  # type: ignore[misc]

    async def until(self, prefix: str, done: Callable[[dict[str, Any]], bool], watching: asyncio.Event) -> None:
        """Wait until something is so of all objects with a prefix; by a watch, which costs the API server little.

        Args:
            prefix: of their names.
            done: whether it is so of an object.
            watching: is set when a change will not be missed any more.
        """
        path = f"{self._url}{GROUP}/searchaccesses"
        async with self._session.get(f"{path}?limit=1") as answer:
            version = (await answer.json())["metadata"]["resourceVersion"]
        left = {item["metadata"]["uid"] for item in await self.list() if _named(item, prefix) and not done(item)}
        watching.set()
        query = f"?watch=true&resourceVersion={version}"
        rest = b""
        async with self._session.get(path + query, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            while left:
                *lines, rest = (rest + await answer.content.readany()).split(b"\n")
                for item in (json.loads(line)["object"] for line in lines):
                    if item["metadata"]["uid"] in left and done(item):
                        left.discard(item["metadata"]["uid"])


def _named(item: dict[str, Any], prefix: str) -> bool:
    return str(item["metadata"]["name"]).startswith(f"{prefix}-")


async def at_once(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Make calls, some at once."""
    gate = asyncio.Semaphore(CONCURRENT)

    async def guarded(call: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await call()

    await asyncio.gather(*(guarded(call) for call in calls))


async def bulk_roles(url: str, ca_file: str, username: str, password: str, roles: dict[str, Any]) -> None:
    """Write roles by the raw bulk API."""
    context = ssl.create_default_context(cafile=ca_file)
    auth = aiohttp.BasicAuth(username, password)
    names = list(roles)
    async with aiohttp.ClientSession(auth=auth, connector=aiohttp.TCPConnector(ssl=context)) as session:
        for start in range(0, len(names), CHUNK):
            chunk = {name: roles[name] for name in names[start : start + CHUNK]}
            async with session.post(f"{url}/_security/role", json={"roles": chunk}) as answer:
                answer.raise_for_status()
