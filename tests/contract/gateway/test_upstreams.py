"""Nodes of Elasticsearch that fail, and what is repeated; each node has to have its own name."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import httpx
import pytest

from searchaccess.core.gateway.settings import GatewaySettings, Upstream
from tests.contract.gateway.attacks.row import CALLER
from tests.contract.gateway.tokens import Forger
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import Answer, Arrived, Recorder
from tests.stack.trust.certificates import ServerCertificate, write_server_certificate
from tests.support.waiting import eventually
from tests.support.worlds.gatewayload import load

_EJECTED = "cluster.elasticsearch.outlier_detection.ejections_active"


@pytest.fixture(autouse=True)
def _fresh(recorder: Recorder) -> Iterator[None]:
    recorder.arrived.clear()
    yield
    recorder.answers = lambda _: Answer()


def _once(answer: Answer) -> Iterator[Answer]:
    yield answer
    while True:
        yield Answer()


@pytest.mark.parametrize("trouble", [Answer(breaks=True), Answer(503), Answer(502)], ids=["breaks", "503", "502"])
@pytest.mark.parametrize(
    ("method", "target", "repeated"),
    [
        ("GET", "/orders/_doc/1", True),
        ("HEAD", "/orders/_doc/1", True),
        ("GET", "/orders/_search?q=x", True),
        ("GET", "/orders/_search?q=x&scroll=1m", False),
        ("GET", "/_search?scr%6Fll=1m", False),
        ("GET", "/_search/scroll", False),
        ("GET", "/_search/scroll/x", False),
        ("GET", "/_async_search/x", False),
        ("GET", "/_sql?cursor=x", False),
        ("GET", "/orders/_refresh", False),
        ("POST", "/orders/_search", False),
        ("POST", "/orders/_doc", False),
        ("PUT", "/orders/_doc/1", False),
        ("DELETE", "/orders/_doc/1", False),
        ("POST", "/_bulk", False),
    ],
)
def test_only_what_reads_documents_is_sent_again_after_elasticsearch_may_have_begun(
    method: str, target: str, *, repeated: bool, trouble: Answer, gateway: Gateway, recorder: Recorder, forger: Forger
) -> None:
    answers = _once(trouble)
    recorder.answers = lambda _: next(answers)
    with gateway.client(forger.mint(CALLER)) as client:
        # What callers ask for has no effect.
        status = client.request(method, target, headers={"x-envoy-retry-on": "5xx"}).status_code
    assert len(recorder.arrived) == (2 if repeated else 1)
    assert status == (200 if repeated else 503 if trouble.breaks else trouble.status)
    assert not any(name.startswith("x-envoy-") for one in recorder.arrived for name, _ in one.headers)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_login_is_tried_again_for_every_request(
    method: str, gateway: Gateway, recorder: Recorder, forger: Forger
) -> None:
    answers = _once(Answer(401))
    recorder.answers = lambda _: next(answers)
    with gateway.client(forger.mint(CALLER)) as client:
        assert client.request(method, "/orders/_doc").status_code == 200
    assert len(recorder.arrived) == 2


@contextmanager
def _second(settings: GatewaySettings, loopback: ServerCertificate) -> Iterator[tuple[Gateway, Recorder]]:
    """A gateway with a second node, at another name."""
    with Recorder(loopback) as node:
        both = (*settings.upstreams, Upstream("localhost", node.port))
        with Gateway(replace(settings, upstreams=both)) as gateway:
            yield gateway, node


def test_a_node_that_ends_fails_no_request_that_reads_and_is_taken_out_until_it_is_back(
    settings: GatewaySettings, loopback: ServerCertificate, forger: Forger
) -> None:
    with _second(settings, loopback) as (gateway, node):
        with load(gateway, forger.mint(CALLER)) as callers:
            eventually(lambda: node.arrived)
            node.stop()
            callers.goes_on()
            eventually(lambda: gateway.statistic(_EJECTED) == 1, within=60)
            callers.goes_on()
            node.start()
            seen = len(node.arrived)
            eventually(lambda: len(node.arrived) > seen, within=60)
        assert gateway.statistic("cluster.elasticsearch.upstream_rq_retry_success") > 0


def test_no_request_is_sent_twice_to_a_node_that_refuses_it(
    settings: GatewaySettings, loopback: ServerCertificate, forger: Forger
) -> None:
    """It has the fewest open requests, so it is the first choice again each time.

    It answers with 503: such answers take no node out, so that all requests may meet it.
    """
    with _second(settings, loopback) as (gateway, node), gateway.client(forger.mint(CALLER)) as client:
        node.answers = lambda _: Answer(503)
        targets = [f"/orders/_doc/{number}" for number in range(200)]
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda target: client.get(target).status_code, targets))
    assert set(answers) == {200}
    counts = Counter(one.target for one in node.arrived)
    assert len(counts) > 20
    assert set(counts.values()) == {1}


def test_all_that_a_node_had_under_way_is_read_from_another_one_when_it_ends(
    settings: GatewaySettings, loopback: ServerCertificate, forger: Forger
) -> None:
    many, ends = 70, Event()
    with _second(settings, loopback) as (gateway, node), gateway.client(forger.mint(CALLER)) as client:
        node.answers = lambda _: Answer(hangs=True)

        def call() -> set[int]:
            seen = set[int]()
            while not ends.is_set():
                seen.add(client.get("/orders/_doc/1", timeout=240).status_code)
            return seen

        with ThreadPoolExecutor(many) as callers:
            calls = []
            try:
                for number in range(1, many + 1):
                    calls.append(callers.submit(call))
                    # It calls until the node has its request, which takes a few.
                    eventually(lambda number=number: len(node.arrived) == number, every=0.005)  # type: ignore[misc]
            finally:
                ends.set()
                node.stop()
            assert [one.result() for one in calls] == [{200}] * many


def test_writes_reach_the_other_node_if_one_cannot_be_connected_to(
    settings: GatewaySettings, loopback: ServerCertificate, recorder: Recorder, forger: Forger
) -> None:
    with _second(settings, loopback) as (gateway, node), gateway.client(forger.mint(CALLER)) as client:
        node.stop()
        answers = [client.post("/orders/_doc", json={"number": number}).status_code for number in range(40)]
        assert answers == [200] * 40
        assert len(recorder.arrived) == 40
        node.start()


def test_answers_of_elasticsearch_take_no_node_out(
    settings: GatewaySettings, loopback: ServerCertificate, forger: Forger
) -> None:
    """Otherwise a caller could take all nodes from the others, by requests that end with 503."""
    with _second(settings, loopback) as (gateway, node), gateway.client(forger.mint(CALLER)) as client:

        def refuses(_: Arrived) -> Answer:
            return Answer(503)

        node.answers = refuses
        for _ in range(60):
            client.post("/orders/_search")
        seen = len(node.arrived)
        assert seen > 5
        assert gateway.statistic("cluster.elasticsearch.outlier_detection.ejections_enforced_total") == 0


def test_the_only_node_is_used_again_as_soon_as_it_is_back(
    settings: GatewaySettings, loopback: ServerCertificate, forger: Forger
) -> None:
    with Recorder(loopback) as node:
        alone = replace(settings, upstreams=(Upstream("127.0.0.1", node.port),))
        with Gateway(alone) as gateway, gateway.client(forger.mint(CALLER)) as client:
            node.stop()
            for _ in range(10):
                assert client.get("/orders/_doc/1").status_code == httpx.codes.SERVICE_UNAVAILABLE
            node.start()
            assert client.get("/orders/_doc/1").status_code == httpx.codes.OK


@pytest.mark.parametrize(
    ("hosts", "certificate", "status"),
    [
        (("127.0.0.1", "localhost"), "127.0.0.1", 200),
        (("127.0.0.1", "localhost"), "localhost", 503),
        (("localhost", "127.0.0.9"), "localhost", 200),
        (("localhost", "127.0.0.9"), "127.0.0.9", 503),
        (("localhost", "other.invalid"), "localhost", 200),
        (("localhost", "other.invalid"), "other.invalid", 503),
        (("localhost",), "other.invalid", 503),
    ],
)
def test_each_node_needs_a_certificate_with_its_own_name(
    hosts: tuple[str, ...], certificate: str, status: int, settings: GatewaySettings, forger: Forger, tmp_path: Path
) -> None:
    """The first host is there, with the certificate; the others are declared alone."""
    files = write_server_certificate(tmp_path, loopback=(certificate,))
    with Recorder(files) as node:
        upstreams = tuple(Upstream(host, 1 if number else node.port) for number, host in enumerate(hosts))
        own = replace(settings, upstreams=upstreams, ca=files.ca_file.read_text())
        with Gateway(own) as gateway, gateway.client(forger.mint(CALLER)) as client:
            client.get("/orders/_doc/1")  # may meet the absent host first; it is repeated
            assert client.get("/orders/_doc/1").status_code == status
        assert bool(node.arrived) == (status == 200)
