"""When the API server is known to be watched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from searchaccess.adapters.kubernetes.client import new_configuration
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.operator.sources.watching import report_watches

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

PATH = f"/apis/{GROUP}/{VERSION}"
KINDS = {
    "searchaccesses": "SearchAccess",
    "searchclusters": "SearchCluster",
    "searchaccesspolicies": "SearchAccessPolicy",
    "searchaccessapprovals": "SearchAccessApproval",
}


@asynccontextmanager
async def api_server(*, refuses_watches: bool = False) -> AsyncIterator[str]:
    """Serve an API server with our kinds and no objects."""
    resources = [
        {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": False, "verbs": ["list", "watch"]}
        for plural, kind in KINDS.items()
    ]
    group = {"name": GROUP, "versions": [{"version": VERSION}], "preferredVersion": {"version": VERSION}}
    namespaces = {"name": "namespaces", "kind": "Namespace", "singularName": "", "namespaced": False}
    discovery: dict[str, dict[str, Any]] = {
        "/api": {"versions": ["v1"]},
        "/api/v1": {"resources": [namespaces | {"verbs": ["list", "watch"]}]},
        "/apis": {"groups": [group]},
        PATH: {"resources": resources},
    }
    ended = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path in discovery:
            return web.json_response(discovery[request.path])
        if request.query.get("watch") != "true":
            return web.json_response({"kind": "List", "metadata": {"resourceVersion": "7"}, "items": []})
        if refuses_watches:
            return web.json_response({"kind": "Status", "code": 403}, status=403)
        stream = web.StreamResponse()
        await stream.prepare(request)
        await ended.wait()
        return stream

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        ended.set()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("query", "refuses", "expected"),
    [
        pytest.param("?watch=true&resourceVersion=7", False, ["searchclusters"], id="a watch"),
        pytest.param("?watch=true", True, [], id="a watch that is refused"),
        pytest.param("?limit=500", False, [], id="a list"),
    ],
)
async def test_only_a_watch_that_the_api_server_accepts_counts(query: str, refuses: bool, expected: list[str]) -> None:  # noqa: FBT001
    began: list[str] = []
    async with (
        api_server(refuses_watches=refuses) as url,
        ClientSession(trace_configs=[report_watches(began.append)]) as session,
        session.get(f"{url}{PATH}/searchclusters{query}"),
    ):
        assert began == expected


async def test_that_nothing_is_declared_is_known_when_kopf_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    from searchaccess.operator.sources import events  # noqa: PLC0415 - kopf takes a while to import

    # It is not what makes it known.
    monkeypatch.setattr(events, "LISTS_WITHIN", 1e9)
    stop, began = asyncio.Event(), asyncio.Event()

    class Login(KubernetesLogin):
        async def configuration(self) -> "Configuration":
            configuration = new_configuration()
            configuration.host = url
            return configuration

    async with api_server() as url:
        watching = asyncio.create_task(events.watch(Inventory(), began.set, Login(KubernetesOptions()), stop))
        try:
            async with asyncio.timeout(300):
                await began.wait()
        finally:
            # Not by the event: kopf takes five seconds for that.
            watching.cancel()
            await asyncio.wait({watching})
