"""Pods and gateways are asked by HTTP, and whatever answers cannot do harm."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from searchaccess.adapters import gatewaycalls
from searchaccess.adapters.gatewaycalls import HttpGatewayCalls
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.proof import SMUGGLED, Answer
from searchaccess.ports.errors import LoginMissing, Unexpected, Unreachable

VERSION = (
    'cluster_manager.cds.version_text: "abc"\nlistener_manager.lds.version_text: "abc"\n'
    "cluster_manager.warming_clusters: 0\nlistener_manager.total_listeners_warming: 0\n"
)
POD = Pod("pod-a", "127.0.0.1")


@pytest.fixture(autouse=True)
def _on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is given up because the machine is slow."""
    for name in ("TIMEOUT", "CALL_TIMEOUT", "TOKEN_TIMEOUT"):
        monkeypatch.setattr(gatewaycalls, name, 600.0)


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def answer(text: str, status: int = 200) -> tuple[Callable[[web.Request], Awaitable[web.Response]], list[str]]:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.path_qs}")
        return web.Response(text=text, status=status)

    return handler, seen


async def test_a_pod_says_what_it_has_loaded() -> None:
    handler, seen = await answer(VERSION)
    async with serving(handler) as port:
        assert await HttpGatewayCalls(port=port).version_of(POD) == "abc"
    assert seen == ["GET /version"]


@pytest.mark.parametrize(("text", "status"), [("", 200), ("abc", 200), (VERSION, 503), (VERSION, 404)])
async def test_a_pod_that_has_not_loaded_one_version_says_none(text: str, status: int) -> None:
    handler, _ = await answer(text, status)
    async with serving(handler) as port:
        assert await HttpGatewayCalls(port=port).version_of(POD) == ""


async def test_a_pod_without_an_answer_is_unreachable() -> None:
    async with serving((await answer(""))[0]) as port:
        pass
    with pytest.raises(Unreachable):
        await HttpGatewayCalls(port=port).version_of(POD)
    with pytest.raises(Unexpected):
        await HttpGatewayCalls(port=port).version_of(Pod("pod-a", "host.example.com"))


async def test_an_endless_answer_is_cut_off() -> None:
    handler, _ = await answer("x" * 100_000)
    async with serving(handler) as port:
        with pytest.raises(Unexpected):
            await HttpGatewayCalls(port=port).version_of(POD)
        assert "more than" in (await HttpGatewayCalls().call(f"http://127.0.0.1:{port}", "", {}, None)).trouble


async def test_a_call_has_the_token_and_the_headers_and_follows_no_redirect() -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((request.path, headers.get("Authorization"), headers.get("es-security-runas-user")))
        if len(seen) > 1:
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        return web.json_response({"username": "x"})

    async with serving(handler) as port:
        calls = HttpGatewayCalls()
        url = f"http://127.0.0.1:{port}/"
        assert await calls.call(url, "", SMUGGLED, Sealed("t0ken")) == Answer(200, "x")
        assert await calls.call(url, "", SMUGGLED, None) == Answer(302)
    assert seen == [
        ("/_security/_authenticate", "Bearer t0ken", "elastic"),
        ("/_security/_authenticate", None, "elastic"),
    ]


async def test_troubles_have_no_token_in_them() -> None:
    async with serving((await answer(""))[0]) as port:
        pass
    for url, ca in ((f"https://127.0.0.1:{port}", ""), ("https://127.0.0.1", "no certificate"), ("https://[", "")):
        found = await HttpGatewayCalls().call(url, ca, {}, Sealed("t0ken\n"))
        assert found.status == 0
        assert found.trouble
        assert "t0ken" not in found.trouble


async def test_without_an_identity_there_is_no_token() -> None:
    async def none(_: str) -> str:
        raise LoginMissing("no identity")

    async def some(audience: str) -> str:
        await asyncio.sleep(0)
        return f"for {audience}"

    assert await HttpGatewayCalls().own_token("x") is None
    assert await HttpGatewayCalls(none).own_token("x") is None
    found = await HttpGatewayCalls(some).own_token("x")
    assert found is not None
    assert found.reveal() == "for x"
