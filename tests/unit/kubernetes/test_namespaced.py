"""What is read namespace by namespace, and what is not there to be read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from searchaccess.adapters.kubernetes.client import new_configuration
from searchaccess.adapters.kubernetes.namespaced import NamespacedClient
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.watched import Watched
from searchaccess.core.status.events import Note
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.errors import PermissionDenied, Unexpected
from searchaccess.ports.kubernetes import ObjectRef, Plural

Answers = dict[str, tuple[int, dict[str, Any]]]
UID = "6f1c1f0e-0000-4000-8000-000000000001"


@asynccontextmanager
async def served(
    answers: Answers,
) -> AsyncIterator[tuple[NamespacedClient, list[str]]]:
    """Serve answers by path, and give a client that watches three namespaces; what is in no answer is forbidden."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path_qs}")
        status, body = answers.get(
            request.path_qs.partition("?limit=2")[0] + request.query.get("continue", ""), (403, {})
        )
        return web.json_response(body, status=status)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = new_configuration()
    configuration.host = "http://{}:{}".format(*runner.addresses[0])
    client = NamespacedClient(configuration, ["shop", "billing", "search", "shop"], "home", page=2)
    try:
        yield client, asked
    finally:
        await client.close()
        await runner.cleanup()


def page(*names: str, following: str = "") -> tuple[int, dict[str, Any]]:
    items = [{"metadata": {"name": name, "uid": name}} for name in names]
    return 200, {"metadata": {"continue": following}, "items": items}


def path(namespace: str) -> str:
    return f"/apis/searchaccess.dev/v1alpha1/namespaces/{namespace}/searchaccesses"


async def listed(client: NamespacedClient) -> tuple[list[str], set[str]]:
    names: list[str] = []
    unlisted: set[str] = set()
    following, first = "", True
    while following or first:
        one = await client.list_page(Plural.ACCESSES, following)
        names += [raw["metadata"]["name"] for raw in one.items]
        unlisted |= one.unlisted.keys()
        following, first = one.following, False
    return names, unlisted


async def test_each_namespace_is_listed_page_by_page() -> None:
    answers = {
        path("billing"): page("a"),
        path("search"): page("b", "c", following="more"),
        path("search") + "more": page("d"),
        path("shop"): page(),
    }
    async with served(answers) as (client, asked):
        assert await listed(client) == (["a", "b", "c", "d"], set())
    assert len(asked) == 4


@pytest.mark.parametrize(
    "refused", [{"billing"}, {"search"}, {"shop"}, {"billing", "shop"}, {"billing", "search", "shop"}]
)
async def test_a_namespace_that_may_not_be_listed_is_named(refused: set[str]) -> None:
    answers = {path(name): page(name) for name in ("billing", "search", "shop") if name not in refused}
    async with served(answers) as (client, _):
        names, unlisted = await listed(client)
    assert unlisted == refused
    assert {*names, *refused} == {"billing", "search", "shop"}


async def test_other_trouble_with_one_fails_the_list() -> None:
    odd = 200, {"items": "none"}
    answers: Answers = {path("billing"): page("a"), path("search"): odd, path("shop"): page("b")}
    async with served(answers) as (client, _):
        with pytest.raises(Unexpected):
            await listed(client)


async def test_labels_are_those_of_the_namespaces_that_may_be_read() -> None:
    labels = {"metadata": {"labels": {"team": "search"}}}
    answers: Answers = {"/api/v1/namespaces/search": (200, labels), "/api/v1/namespaces/shop": (404, {})}
    async with served(answers) as (client, _):
        assert (await client.list_namespaces()).labels == {"search": {"team": "search"}}
    async with served({}) as (client, _):
        with pytest.raises(PermissionDenied):
            await client.list_namespaces()


async def test_it_is_known_by_its_own_namespace() -> None:
    async with served({"/api/v1/namespaces/home": (200, {"metadata": {"uid": UID}})}) as (client, asked):
        assert await client.controller_id() == UID
    assert asked == ["GET /api/v1/namespaces/home"]


ABOUT_CLUSTER = ObjectRef(Plural.CLUSTERS, "", "prod", "uid")
RELEASED = Note(warning=True, reason="RightsReleased", message="some")
IN_DEFAULT = "/api/v1/namespaces/default/events?fieldManager=searchaccess"


async def test_an_event_about_a_searchcluster_is_in_the_namespace_default() -> None:
    async with served({IN_DEFAULT: (201, {})}) as (client, asked):
        with capture_logs() as logs:
            await client.create_event(ABOUT_CLUSTER, RELEASED)
    assert asked == [f"POST {IN_DEFAULT}"]
    assert logs == []


async def test_an_event_about_a_searchcluster_that_may_not_be_created_is_logged() -> None:
    async with served({}) as (client, _):
        with capture_logs() as logs:
            await client.create_event(ABOUT_CLUSTER, RELEASED)
    assert [(line["log_level"], line["object"], line["message"]) for line in logs] == [("warning", "prod", "some")]


async def test_a_refused_event_about_a_searchaccess_is_an_error() -> None:
    async with served({}) as (client, _):
        with pytest.raises(PermissionDenied):
            await client.create_event(ObjectRef(Plural.ACCESSES, "shop", "orders", "uid"), RELEASED)


async def test_a_login_in_a_namespace_that_may_not_be_read_is_named_with_those_that_may() -> None:
    async with served({}) as (client, _):
        with pytest.raises(PermissionDenied) as refused:
            await client.read_source(Source("Secret", "elsewhere", "login"))
    assert refused.value.message.startswith("Secret elsewhere/login: ")
    assert refused.value.message.endswith("are read from home and from rbac.loginNamespaces of the chart")


def test_what_was_listed_before_is_what_is_watched() -> None:
    inventory = Inventory(watched=Watched(frozenset({"shop"})))
    inventory.see_unlisted({"shop"})
    assert inventory.rewatch.is_set()
