"""Callers behind the gateway: the same programs, with another address."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from elasticsearch import ApiError, AuthorizationException

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Rate, Upstream
from searchaccess_client import Elasticsearch
from tests.callers.conftest import PRINCIPAL
from tests.callers.programs import RUNTIMES, run
from tests.contract.gateway.conftest import MEGABYTE, settings_for
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import KeyPublisher
from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import write_server_certificate
from tests.support.metadata import MetadataServer
from tests.support.waiting import eventually

_LOGIN, _PASSWORD = "searchaccess-gateway.prod.gateway.a", "of-the-gateway-alone"
_USER = f"searchaccess.prod.{PRINCIPAL}"


@pytest.fixture(scope="module")
def settings(elasticsearch: LocalElasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewaySettings]:
    """Settings of a gateway for the users that the operator would keep."""
    with elasticsearch.client() as admin:
        for path, body in (
            ("role/of-the-gateway", {"run_as": [_USER]}),
            (f"user/{_LOGIN}", {"password": _PASSWORD, "roles": ["of-the-gateway"]}),
            (f"user/{_USER}", {"password": _PASSWORD, "roles": ["orders-caller"]}),
        ):
            admin.put(f"/_security/{path}", json=body).raise_for_status()
    certificate = write_server_certificate(tmp_path_factory.mktemp("keys"))
    with KeyPublisher(certificate, elasticsearch.issuer.jwks()) as keys:
        upstream = Upstream("127.0.0.1", int(elasticsearch.url.rpartition(":")[2]))
        own = settings_for(elasticsearch.ca_file, f"{keys.url}/certs", upstream)
        yield replace(own, jwks_ca=certificate.ca_file.read_text())


@pytest.fixture(scope="module")
def whole(settings: GatewaySettings) -> Iterator[Gateway]:
    with Gateway(settings, _LOGIN, _PASSWORD) as server:
        yield server


@pytest.fixture
def gateway(whole: Gateway, settings: GatewaySettings) -> Iterator[Gateway]:
    """A gateway that serves the same at the start of each test."""
    yield whole
    whole.wait_for(whole.write(settings))


@pytest.fixture
def client(gateway: Gateway, on_cloud_run: None) -> Iterator[Elasticsearch]:  # noqa: ARG001
    options: dict[str, Any] = {"audience": LocalElasticsearch.audience, "ca_certs": str(gateway.ca_file)}
    with closing(Elasticsearch(gateway.url, **options)) as client:
        yield client


@pytest.fixture
def answered(gateway: Gateway) -> Callable[[str], list[int]]:
    """Returns the statuses that requests for an index got in this test, as the gateway's log has them."""
    before = len(gateway.requests())

    def observe(index: str) -> list[int]:
        return [one["status"] for one in gateway.requests()[before:] if f"/{index}/" in one["path"]]

    return observe


def test_an_example_searches_through_the_gateway_with_nothing_but_another_address(
    command: list[str], gateway: Gateway, metadata: MetadataServer, request: pytest.FixtureRequest
) -> None:
    revision = f"orders-{RUNTIMES.index(request.node.callspec.params['command'])}"
    target: dict[str, Any] = {"url": gateway.url, "ca_file": gateway.ca_file, "metadata": metadata}
    done = run(command, "orders-eu", "orders-eu", **target, K_REVISION=revision)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2

    def logged() -> list[dict[str, Any]]:
        return [
            one for one in gateway.requests() if one["opaqueId"] == f"orders/{revision}" and "_search" in one["path"]
        ]

    lines = eventually(lambda: logged()[1:] and logged(), what="two requests in the gateway's log")
    assert {(one["principal"], one["status"]) for one in lines} == {(PRINCIPAL, 200)}
    refused = run(command, "invoices-eu", **target)
    assert refused.returncode != 0
    assert "403" in refused.stderr


@pytest.mark.parametrize("command", [name for name in RUNTIMES if name != "shell"], indirect=True)
def test_an_example_writes_in_bulk_through_the_gateway(
    command: list[str], gateway: Gateway, metadata: MetadataServer
) -> None:
    target: dict[str, Any] = {"url": gateway.url, "ca_file": gateway.ca_file, "metadata": metadata}
    done = run(command, "--write", "orders-written", **target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2 written"


def test_the_client_is_known_by_its_own_account(client: Elasticsearch) -> None:
    assert client.security.authenticate()["username"] == _USER
    with pytest.raises(AuthorizationException):
        client.search(index="invoices-eu")


def test_the_client_retries_while_the_gateway_cannot_reach_elasticsearch(
    client: Elasticsearch,
    gateway: Gateway,
    settings: GatewaySettings,
    answered: Callable[[str], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("searchaccess_client.backoff.pause", lambda _retries: 0.0)
    gateway.wait_for(gateway.write(replace(settings, upstreams=(Upstream("127.0.0.1", free_port()),))))
    with pytest.raises(ApiError) as raised:
        client.search(index="orders-eu")
    assert raised.value.status_code == 503
    assert raised.value.body["error"]["type"] == "gateway_unavailable_exception"
    eventually(lambda: answered("orders-eu") == [503] * 4, what=f"four attempts; {answered('orders-eu')}")


def test_the_client_retries_what_is_over_its_rate(
    client: Elasticsearch, gateway: Gateway, settings: GatewaySettings, answered: Callable[[str], list[int]]
) -> None:
    gateway.wait_for(gateway.write(replace(settings, limits=CallerLimits(MEGABYTE, Rate(1, 1)))))
    eventually(
        lambda: client.search(index="orders-eu") and 429 in answered("orders-eu"),
        what="a search over its rate succeeds",
    )
    client.search(index="orders-eu")
    assert set(answered("orders-eu")) <= {200, 429}


def test_the_client_does_not_retry_a_body_that_is_too_large(
    client: Elasticsearch, gateway: Gateway, settings: GatewaySettings, answered: Callable[[str], list[int]]
) -> None:
    gateway.wait_for(gateway.write(replace(settings, limits=CallerLimits(1000))))
    with pytest.raises(ApiError) as raised:
        client.index(index="orders-written", id="large", document={"text": "x" * 2000})
    assert raised.value.status_code == 413
    assert raised.value.body["error"]["type"] == "gateway_body_limit_exception"
    eventually(lambda: answered("orders-written") == [413], what="one attempt")
