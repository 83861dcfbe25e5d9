"""The client for workloads, against a real Elasticsearch."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from elasticsearch import AuthenticationException, AuthorizationException, TransportError, helpers

from searchaccess_client import AsyncElasticsearch, Elasticsearch, IdentityTokenMissing, tokens
from tests.callers.conftest import PRINCIPAL, InTurn, audited
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.trust.tokens import TokenIssuer
from tests.support.leaks import leaks
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.waiting import eventually

MANY = 24


def found(answer: Any) -> int:
    return int(answer["hits"]["total"]["value"])


class Slow(TokenIssuer):
    """Lets everybody who wants a token at the same time arrive."""

    def mint(self, email: str, **options: Any) -> str:
        time.sleep(0.3)
        return super().mint(email, **options)


def slow(issuer: TokenIssuer) -> Slow:
    return Slow(issuer._key)


# Rights


def test_a_workload_searches_what_it_may_and_nothing_else(
    client: Elasticsearch, elasticsearch: LocalElasticsearch
) -> None:
    assert found(client.search(index="orders-eu")) >= 1
    assert client.security.authenticate()["username"] == PRINCIPAL
    with pytest.raises(AuthorizationException):
        client.search(index="invoices-eu")
    assert audited(elasticsearch, **{"event.action": "access_denied"})


async def test_the_same_with_asyncio(make_async: Callable[[], AsyncElasticsearch]) -> None:
    async with make_async() as client:
        assert found(await client.search(index="orders-eu")) >= 1
        with pytest.raises(AuthorizationException):
            await client.search(index="invoices-eu")


def test_options_namespaces_and_helpers_carry_the_same_token(client: Elasticsearch, metadata: MetadataServer) -> None:
    quick = client.options(request_timeout=20)
    assert type(quick) is Elasticsearch
    assert found(quick.search(index="orders-eu")) >= 1
    assert quick.options(ignore_status=404).indices.get(index="orders-none").meta.status == 404
    assert client.indices.exists(index="orders-eu")
    done, _ = helpers.bulk(client, ({"_index": "orders-bulk", "total": number} for number in range(5)), refresh=True)
    assert done == 5
    assert len(list(helpers.scan(client, index="orders-bulk"))) == 5
    assert len(metadata.audiences) == 1


async def test_the_same_helpers_with_asyncio(
    make_async: Callable[[], AsyncElasticsearch], metadata: MetadataServer
) -> None:
    async with make_async() as client:
        actions = [{"_index": "orders-async", "total": number} for number in range(5)]
        assert await helpers.async_bulk(client.options(request_timeout=20), actions, refresh=True) == (5, [])
        assert await client.indices.exists(index="orders-async")
    assert len(metadata.audiences) == 1


# Renewal


def test_a_token_that_ends_in_mid_use_is_replaced(
    client: Elasticsearch, metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.lifetime = 4
    client.search(index="orders-eu")
    first = client.transport._caller.tokens.get()  # type: ignore[attr-defined]

    def refused() -> bool:
        assert found(client.search(index="orders-eu")) >= 1
        with elasticsearch.client_as(first) as bearer:
            return bearer.get("/orders-eu/_search").status_code == 401

    eventually(refused, what="the first token has ended")
    assert len(metadata.audiences) >= 2


async def test_a_token_that_ends_in_mid_use_is_replaced_with_asyncio(
    make_async: Callable[[], AsyncElasticsearch], metadata: MetadataServer
) -> None:
    metadata.lifetime = 4
    async with make_async() as client:
        while len(metadata.audiences) < 3:
            assert found(await client.search(index="orders-eu")) >= 1
            await asyncio.sleep(0.05)


def test_a_token_is_renewed_minutes_before_its_end_and_nobody_waits(
    client: Elasticsearch, metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.lifetime = RENEWED_BEFORE - 5
    client.search(index="orders-eu")
    metadata.lifetime = 3600
    held = threading.Event()

    class Held(TokenIssuer):
        def mint(self, email: str, **options: Any) -> str:
            assert held.wait(60)
            return super().mint(email, **options)

    metadata.issuer = Held(elasticsearch.issuer._key)
    assert found(client.search(index="orders-eu")) >= 1, "the old one does while another one is fetched"
    eventually(lambda: len(metadata.audiences) == 2)
    held.set()
    caller = client.transport._caller  # type: ignore[attr-defined]
    eventually(lambda: caller.tokens._credentials.valid)
    client.search(index="orders-eu")
    assert len(metadata.audiences) == 2


def test_many_threads_share_one_fetch(
    client: Elasticsearch, metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.issuer = slow(elasticsearch.issuer)
    together = threading.Barrier(MANY)

    def search(_: int) -> int:
        together.wait(30)
        return found(client.search(index="orders-eu"))

    with ThreadPoolExecutor(MANY) as pool:
        assert all(pool.map(search, range(MANY)))
    assert len(metadata.audiences) == 1


async def test_many_tasks_share_one_fetch(
    make_async: Callable[[], AsyncElasticsearch], metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.issuer = slow(elasticsearch.issuer)
    async with make_async() as client:
        answers = await asyncio.gather(*(client.search(index="orders-eu") for _ in range(MANY)))
    assert all(found(answer) for answer in answers)
    assert len(metadata.audiences) == 1


# The metadata server is away


@pytest.mark.usefixtures("no_pause")
def test_while_it_is_away_a_token_is_used_as_long_as_it_is_good(
    client: Elasticsearch, metadata: MetadataServer
) -> None:
    metadata.lifetime = RENEWED_BEFORE - 5
    client.search(index="orders-eu")
    metadata.away = True
    assert found(client.search(index="orders-eu")) >= 1

    metadata.away, metadata.lifetime = False, 2
    before = len(metadata.audiences)

    def renewed() -> bool:
        with suppress(AuthenticationException):  # It ended on the way.
            client.search(index="orders-eu")
        return len(metadata.audiences) > before

    eventually(renewed, what="a renewal")
    metadata.away = True

    def ended() -> str:
        try:
            client.search(index="orders-eu")
        except IdentityTokenMissing as error:
            return str(error)
        except AuthenticationException:
            return ""  # It ended on the way.
        return ""

    message = eventually(ended)
    assert "the metadata server returns none" in message
    metadata.away, metadata.lifetime = False, 3600
    assert found(client.search(index="orders-eu")) >= 1


async def test_while_it_is_away_a_token_is_used_with_asyncio_too(
    make_async: Callable[[], AsyncElasticsearch], metadata: MetadataServer
) -> None:
    metadata.lifetime = RENEWED_BEFORE - 5
    async with make_async() as client:
        await client.search(index="orders-eu")
        metadata.away = True
        assert found(await client.search(index="orders-eu")) >= 1


def test_where_there_is_none_the_error_says_so_and_nothing_is_sent(
    client: Elasticsearch, metadata: MetadataServer
) -> None:
    metadata.away = True
    with pytest.raises(IdentityTokenMissing, match=r"no metadata server answers.*Cloud Run") as caught:
        client.search(index="orders-eu")
    assert isinstance(caught.value, TransportError)
    assert client._verified_elasticsearch is False, "nothing came back from Elasticsearch"


def test_those_who_wait_for_a_fetch_that_fails_do_not_try_it_again_one_by_one(
    client: Elasticsearch, metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata.away = True
    caller = client.transport._caller  # type: ignore[attr-defined]
    fetches, waiting = 0, list[int]()
    fetch, renew = caller.tokens._fetch, caller.tokens._renew

    def fetch_when_all_wait() -> None:
        nonlocal fetches
        fetches += 1
        eventually(lambda: len(waiting) >= MANY, what="all wait for it")
        fetch()

    def wait(tries: int) -> str:
        waiting.append(tries)
        return str(renew(tries))

    monkeypatch.setattr(caller.tokens, "_fetch", fetch_when_all_wait)
    monkeypatch.setattr(caller.tokens, "_renew", wait)

    def search(_: int) -> str:
        with pytest.raises(IdentityTokenMissing):
            client.search(index="orders-eu")
        return "refused"

    with ThreadPoolExecutor(MANY) as pool:
        assert len(list(pool.map(search, range(MANY)))) == MANY
    assert fetches == 1


# 401


def test_after_a_401_another_token_is_tried(
    client: Elasticsearch, metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.issuer = InTurn(TokenIssuer(), elasticsearch.issuer)
    assert found(client.search(index="orders-eu")) >= 1
    assert len(metadata.audiences) == 2


async def test_after_a_401_another_token_is_tried_with_asyncio_too(
    make_async: Callable[[], AsyncElasticsearch], metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.issuer = InTurn(TokenIssuer(), elasticsearch.issuer)
    async with make_async() as client:
        assert found(await client.search(index="orders-eu")) >= 1
    assert len(metadata.audiences) == 2


def test_but_not_for_ever(client: Elasticsearch, metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PAUSE", 600.0)
    metadata.issuer = TokenIssuer()
    for _ in range(5):
        with pytest.raises(AuthenticationException):
            client.search(index="orders-eu")
    assert len(metadata.audiences) == 2, "one token, and one more after the first 401 until the pause is over"


def test_after_the_pause_it_is_tried_again(
    client: Elasticsearch, metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PAUSE", 0.0)
    metadata.issuer = TokenIssuer()
    for _ in range(2):
        with pytest.raises(AuthenticationException):
            client.search(index="orders-eu")
    assert len(metadata.audiences) == 3


def test_a_body_that_can_be_read_once_is_sent_whole_after_a_401(
    client: Elasticsearch, metadata: MetadataServer, elasticsearch: LocalElasticsearch
) -> None:
    metadata.issuer = InTurn(TokenIssuer(), elasticsearch.issuer)
    lines: list[dict[str, Any]] = [{"index": {"_index": "orders-once"}}, {"total": 1}] * 3
    answer = client.bulk(operations=iter(lines))  # type: ignore[arg-type]
    assert len(answer["items"]) == 3


# Audit


def test_the_audit_log_names_the_revision(client: Elasticsearch, elasticsearch: LocalElasticsearch) -> None:
    client.search(index="orders-eu")

    def searched() -> bool:
        events = audited(elasticsearch, opaque_id="orders/orders-00042-abc")
        return {"orders-eu"} in [set(event.get("indices", ())) for event in events]

    eventually(searched, what="the search in the audit log")


def test_an_opaque_id_of_the_callers_own_wins(client: Elasticsearch, elasticsearch: LocalElasticsearch) -> None:
    client.options(opaque_id="checkout-4711").search(index="orders-eu")
    assert audited(elasticsearch, opaque_id="checkout-4711")


# Secrets


def test_no_token_shows_in_logs_errors_or_representations(
    client: Elasticsearch, metadata: MetadataServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        client.search(index="orders-eu")
        caller = client.transport._caller  # type: ignore[attr-defined]
        token = caller.tokens.get()
        with pytest.raises(AuthorizationException) as denied:
            client.search(index="invoices-eu")
        metadata.away = True
        caller.tokens._credentials = None
        with pytest.raises(IdentityTokenMissing) as missing:
            client.search(index="orders-eu")
    shown = {
        "log": caplog.text,
        "errors": f"{denied.value!r} {denied.value.meta!r} {missing.value!r}",
        "representations": f"{client!r} {client.transport!r} {caller!r} {caller.tokens!r}",
    }
    assert caplog.text
    assert not leaks(shown, [token])
