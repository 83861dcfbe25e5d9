"""The webhook over HTTPS, whatever clients do."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from searchaccess.adapters.x509 import issue
from searchaccess.core.webhook.certificates import Certificate
from searchaccess.core.webhook.review import Review
from searchaccess.core.webhook.ruling import ALLOWED, Ruling
from searchaccess.core.work import Work
from searchaccess.operator.admission import server as webserver
from searchaccess.operator.admission.judge import Judge
from searchaccess.operator.admission.server import MOST_BYTES, PATH, Admission, admitting
from searchaccess.operator.admission.tls import ServedCertificate
from searchaccess.operator.telemetry.metrics import Metrics
from searchaccess.ports.errors import CannotListen, TlsNotVerified
from searchaccess.ports.meter import REVIEWS, Meter
from tests.unit.webhook.scene import ONLY_SHOP, a_policy, a_review, knowing, reads

NAMES = ("127.0.0.1",)


@pytest.fixture(autouse=True)
def _on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are not given up because the machine is slow; where that is tested, there is another limit."""
    monkeypatch.setattr(webserver, "READ_WITHIN", 600.0)
    monkeypatch.setattr(webserver, "ANSWER_WITHIN", 600.0)


def made() -> Certificate:
    return issue(NAMES, datetime.now(UTC), 3600, 60)


class Served:
    """A webhook that is served, and how to call it."""

    def __init__(self, judge: Any = None, unready: str = "") -> None:
        self.metrics = Metrics()
        self.certificate = made()
        self.tls = ServedCertificate()
        self.tls.serve(self.certificate.chain, self.certificate.key)
        judge = judge or Judge(knowing(a_policy(**ONLY_SHOP)), self.metrics)
        self.admission = Admission(judge, lambda: unready, self.metrics)
        self.port = 0
        self.stop = asyncio.Event()

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Served"]:
        async with admitting("127.0.0.1", 0, self.admission, self.tls.context, self.stop) as self.port:
            yield self

    def trusting(self, certificate: Certificate | None = None) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=(certificate or self.certificate).authority)

    def client(self, certificate: Certificate | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{self.port}",
            verify=self.trusting(certificate),
            trust_env=False,
            timeout=60,
            limits=httpx.Limits(keepalive_expiry=None),  # A connection stays however slow the machine is.
        )

    def counted(self) -> dict[str, float]:
        found = {each.name: each for each in text_string_to_metric_families(self.metrics.text().decode())}
        samples = found["searchaccess_admission_reviews"].samples
        return {each.labels["result"]: each.value for each in samples if each.name.endswith("_total")}


async def ask(served: Served, body: Any, path: str = PATH) -> httpx.Response:
    async with served.client() as client:
        return await client.post(path, content=body if isinstance(body, bytes) else json.dumps(body))


async def test_what_is_answered_is_counted_and_timed() -> None:
    async with Served().run() as served:
        denied = (await ask(served, a_review(reads("orders-1")))).json()["response"]
        assert (denied["uid"], denied["allowed"]) == ("5b1e", False)
        assert denied["status"]["message"].startswith("SearchAccessPolicy limits: grants[0]: read is allowed only on")
        assert (await ask(served, a_review(reads("shop-1")))).json()["response"] == {"uid": "5b1e", "allowed": True}
        assert (await ask(served, a_review(None, reads("a"), operation="DELETE"))).json()["response"]["allowed"]
        assert served.counted() == {"allowed": 2, "denied": 1}
        assert set(served.counted()) <= set(REVIEWS)
        assert "searchaccess_admission_duration_seconds_count 3.0" in served.metrics.text().decode()


BAD: dict[str, tuple[bytes, str, int]] = {
    "no JSON": (b"{", PATH, 400),
    "nested too deeply": (b"[" * 500_000, PATH, 400),
    "no review": (b"{}", PATH, 400),
    "no text": (b"\xff\xfe\xfd", PATH, 400),
    "a number of more digits than Python reads": (b"9" * 5_000, PATH, 400),
    "too many values": (b"[" + b"[]," * 600_000 + b"0]", PATH, 400),
    "too long": (b" " * (MOST_BYTES + 1), PATH, 413),
    "another page": (b"{}", "/metrics", 404),
}


@pytest.mark.parametrize(("body", "path", "status"), BAD.values(), ids=BAD)
async def test_what_cannot_be_read_is_left_to_the_failure_policy(body: bytes, path: str, status: int) -> None:
    async with Served().run() as served:
        try:
            found = await ask(served, body, path)
            assert found.status_code == status
            assert len(body) < MOST_BYTES or found.text == f"a request may have {MOST_BYTES} bytes"
        except (httpx.WriteError, httpx.ReadError):
            # It answered and closed before all of it was sent.
            assert len(body) > MOST_BYTES
        assert set(served.counted()) == {"unreadable"}
        assert (await ask(served, a_review(reads("shop-1")))).status_code == 200


async def test_what_has_too_many_values_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Served().run() as served:
        monkeypatch.setattr(msgspec.json, "decode", lambda _body: pytest.fail("it takes half a second"))
        found = await ask(served, b"[" + b"[]," * 600_000 + b"0]")
        assert (found.status_code, found.text) == (400, "more than 500000 values")


async def test_nothing_is_decided_before_what_is_declared_is_known() -> None:
    async with Served(unready="the API server has not been listed yet").run() as served:
        found = await ask(served, a_review(reads("shop-1")))
        assert (found.status_code, found.text) == (503, "the API server has not been listed yet")
        assert set(served.counted()) == {"unready"}


async def test_an_internal_error_affects_one_request() -> None:
    class Broken(Judge):
        def rule(self, review: Review) -> Work[Ruling]:
            if review.new["metadata"]["name"] == "broken":
                raise RuntimeError("secret-of-somebody")
            return ALLOWED
            yield

    async with Served(Broken(knowing(), Meter())).run() as served:
        found = await ask(served, a_review(reads(name="broken")))
        assert (found.status_code, "secret" in found.text) == (500, False)
        assert (await ask(served, a_review(reads()))).status_code == 200
        assert served.counted() == {"failed": 1, "allowed": 1}


async def test_what_nobody_waits_for_any_more_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webserver, "ANSWER_WITHIN", 0.0)
    async with Served().run() as served:
        found = await ask(served, a_review(reads("shop-1")))
        assert (found.status_code, set(served.counted())) == (503, {"late"})


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("timeout=1s", 1), ("timeout=10s", 10), ("timeout=30s", 30), ("timeout=99s", 30), ("timeout=5s&timeout=9s", 5)]
    + [(odd, None) for odd in ("", "timeout=", "timeout=0s", "timeout=-1s", "timeout=1m0s", "timeout=1.5s", "x=9s")],
)
async def test_it_answers_for_as_long_as_the_api_server_waits(
    query: str, seconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    monkeypatch.setattr(webserver, "ANSWER_WITHIN", 0.0)

    def check_time(_: Admission, deadline: float) -> None:
        waits.append(deadline)

    monkeypatch.setattr(Admission, "_check_time", check_time)
    async with Served().run() as served:
        began = asyncio.get_running_loop().time()
        await ask(served, a_review(reads("shop-1")), f"{PATH}?{query}")
        ended = asyncio.get_running_loop().time()
    assert began <= waits[0] - (seconds or 0) <= ended


async def test_large_requests_do_not_fill_the_memory_and_small_ones_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webserver, "FEW_BYTES", 2_000)
    monkeypatch.setattr(webserver, "MOST_BUFFERED", 10_000)
    async with Served().run() as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=served.trusting())
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{'x' * 9_000}".encode())
        async with asyncio.timeout(300):
            while served.admission._buffered < 9_000:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        large = a_review(reads("shop-1", annotations={"a": "x" * 4_000}))
        assert (await ask(served, large)).text == "too many requests at a time"
        assert (await ask(served, a_review(reads("shop-1")))).status_code == 200
        writer.transport.abort()
        async with asyncio.timeout(300):
            while served.admission._buffered:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)
        assert (await ask(served, large)).status_code == 200


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webserver, "READ_WITHIN", 0.2)
    async with Served().run() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=served.trusting())
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode())
        assert b" 408 " in (await reader.read())
        writer.transport.abort()


async def test_a_client_that_never_says_hello_does_not_keep_others_waiting() -> None:
    async with Served().run() as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        assert (await ask(served, a_review(reads("shop-1")))).status_code == 200
        writer.transport.abort()


async def test_another_certificate_is_for_new_connections_and_the_old_ones_stay() -> None:
    async with Served().run() as served, served.client() as before:
        review = json.dumps(a_review(reads("shop-1")))
        assert (await before.post(PATH, content=review)).status_code == 200
        following = made()
        served.tls.serve(following.chain, following.key)
        assert (await before.post(PATH, content=review)).status_code == 200
        async with served.client(following) as after:
            assert (await after.post(PATH, content=review)).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await ask(served, a_review(reads("shop-1")))


async def test_a_certificate_that_cannot_be_used_is_not_served() -> None:
    async with Served().run() as served:
        with pytest.raises(TlsNotVerified, match="cannot be used"):
            served.tls.serve(made().chain, made().key)
        assert (await ask(served, a_review(reads("shop-1")))).status_code == 200


async def test_connections_are_kept_until_it_leaves() -> None:
    async with Served().run() as served, served.client() as client:
        review = json.dumps(a_review(reads("shop-1")))
        assert "connection" not in (await client.post(PATH, content=review)).headers
        served.admission.leaving = True
        assert (await client.post(PATH, content=review)).headers["connection"] == "close"


async def test_it_still_answers_for_a_while_when_it_is_to_end() -> None:
    served = Served()
    ending = admitting("127.0.0.1", 0, served.admission, served.tls.context, served.stop, leaving=30)
    served.port = await ending.__aenter__()
    served.stop.set()
    leaving = asyncio.create_task(ending.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert (await ask(served, a_review(reads("shop-1")))).headers["connection"] == "close"
    assert not leaving.done()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_port_that_is_taken_is_told() -> None:
    async with Served().run() as served:
        with pytest.raises(CannotListen, match=f"cannot listen at 127.0.0.1:{served.port}"):
            async with admitting("127.0.0.1", served.port, served.admission, served.tls.context, served.stop):
                pass
