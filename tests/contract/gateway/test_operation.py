"""Outages, rotations and updates while callers call."""

import base64
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings
from tests.contract.gateway.attacks.row import CALLER
from tests.contract.gateway.conftest import MEGABYTE
from tests.contract.gateway.tokens import Forger
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import Answer, Arrived, KeyPublisher, Recorder
from tests.support.waiting import eventually
from tests.support.worlds.gatewayload import load

_CACHE_SECONDS = 1


@pytest.fixture
def short(settings: GatewaySettings, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway, not started, that reads keys again soon."""
    before = request.session.testsfailed
    server = Gateway(settings, jwks_cache_seconds=_CACHE_SECONDS)
    yield server
    server.close(failed=request.session.testsfailed > before)


@pytest.fixture(autouse=True)
def _published(keys: KeyPublisher, forger: Forger, recorder: Recorder) -> Iterator[None]:
    yield
    keys.publish(forger.google.jwks())
    recorder.answers = lambda _: Answer()


def _status(gateway: Gateway, token: str) -> int:
    with gateway.client(token) as client:
        return client.get("/orders/_doc/1").status_code


@pytest.mark.parametrize("outage", ["gone", "500", "rubbish", "no keys", "silent"])
def test_a_running_gateway_keeps_its_keys_while_none_are_published(
    outage: str, short: Gateway, keys: KeyPublisher, forger: Forger
) -> None:
    short.start()
    assert _status(short, forger.mint(CALLER)) == 200
    answers = {
        "500": Answer(500),
        "rubbish": Answer(body=b"<html>"),
        "no keys": Answer(body=b'{"keys": []}'),
        "silent": Answer(hangs=True),
    }
    if outage == "gone":
        keys.stop()
        try:
            eventually(lambda: short.statistic("cluster.jwks.upstream_cx_connect_fail") > 1)
            assert _status(short, forger.mint(CALLER)) == 200
        finally:
            keys.start()
    else:
        keys.published = answers[outage]
        before = keys.asked
        eventually(lambda: keys.asked > before + (0 if outage == "silent" else 1))
        assert _status(short, forger.mint(CALLER)) == 200
    assert _status(short, forger.attacker.mint(CALLER)) == 401


@pytest.mark.parametrize("outage", [Answer(500), Answer(hangs=True)], ids=["500", "silent"])
def test_a_gateway_without_keys_serves_nobody_until_it_has_some(
    outage: Answer, short: Gateway, keys: KeyPublisher, forger: Forger
) -> None:
    keys.published = outage
    short.start(ready=False)
    before = keys.asked
    eventually(lambda: keys.asked > before)
    assert not short.is_ready()
    with pytest.raises(httpx.ConnectError):
        _status(short, forger.mint(CALLER))
    keys.publish(forger.google.jwks())
    eventually(short.is_serving, within=60)
    assert _status(short, forger.mint(CALLER)) == 200


def test_a_gateway_that_started_with_rubbish_for_keys_refuses_everybody_until_it_has_some(
    short: Gateway, keys: KeyPublisher, forger: Forger
) -> None:
    keys.published = Answer(body=b"<html>")
    short.start()
    assert _status(short, forger.mint(CALLER)) == 401
    keys.publish(forger.google.jwks())
    eventually(lambda: _status(short, forger.mint(CALLER)) == 200)


def test_a_withdrawn_key_is_refused_and_a_new_one_accepted_once_keys_were_read_again(
    short: Gateway, keys: KeyPublisher, forger: Forger
) -> None:
    short.start()
    old, new = forger.mint(CALLER), forger.attacker.mint(CALLER)
    assert (_status(short, old), _status(short, new)) == (200, 401)
    both = json.loads(forger.google.jwks())["keys"] + json.loads(forger.attacker.jwks())["keys"]
    keys.publish(json.dumps({"keys": both}))
    eventually(lambda: _status(short, new) == 200)
    assert _status(short, old) == 200
    keys.publish(forger.attacker.jwks())
    eventually(lambda: _status(short, old) == 401)
    assert _status(short, new) == 200


def test_updates_of_the_configuration_fail_no_request(
    gateway: Gateway, settings: GatewaySettings, forger: Forger
) -> None:
    with load(gateway, forger.mint(CALLER)) as callers:
        for size in (2, 3, 4):
            gateway.wait_for(gateway.write(replace(settings, limits=CallerLimits(size * MEGABYTE))))
            callers.goes_on()
    assert gateway.statistic("listener_manager.listener_in_place_updated") >= 3
    gateway.wait_for(gateway.write(settings))


def test_an_update_is_not_served_while_keys_are_not_published_and_the_former_one_is(
    short: Gateway, settings: GatewaySettings, keys: KeyPublisher, forger: Forger
) -> None:
    short.start()
    before = short.rendered
    keys.published = Answer(500)
    with load(short, forger.mint(CALLER)):
        after = short.write(replace(settings, limits=CallerLimits(2 * MEGABYTE)))
        eventually(lambda: after.version in short.health("/version").text)
        asked = keys.asked
        eventually(lambda: keys.asked > asked)
        assert short.version() not in {before.version, after.version}
        keys.publish(forger.google.jwks())
        short.wait_for(after)


def test_unknown_fields_are_refused_and_the_former_configuration_is_served(
    gateway: Gateway, settings: GatewaySettings, forger: Forger
) -> None:
    before = gateway.rendered
    misspelt = before.listeners.replace("require_expiration", "require_expiry")
    gateway.write_files(misspelt.replace(before.version, "0" * 32), before.clusters)
    eventually(lambda: gateway.statistic("listener_manager.lds.update_rejected") > 0)
    assert gateway.version() == before.version
    assert _status(gateway, forger.mint(CALLER)) == 200
    gateway.wait_for(gateway.write(settings))


def test_a_new_login_fails_no_request_and_the_former_is_not_used_any_more(
    gateway: Gateway, recorder: Recorder, forger: Forger
) -> None:
    valid = {_basic("searchaccess-gateway.test.gateway.a", "first-password"), _basic("b", "second")}

    def answers(request: Arrived) -> Answer:
        return Answer() if request.all("authorization")[0] in valid else Answer(401)

    recorder.answers = answers
    with load(gateway, forger.mint(CALLER)) as callers:
        gateway.log_in_as("b", "second")
        eventually(lambda: recorder.arrived[-1].all("authorization") == [_basic("b", "second")])
        callers.goes_on()
        valid.discard(_basic("searchaccess-gateway.test.gateway.a", "first-password"))
    gateway.log_in_as("searchaccess-gateway.test.gateway.a", "first-password")
    first = _basic("searchaccess-gateway.test.gateway.a", "first-password")
    eventually(lambda: _status(gateway, forger.mint(CALLER)) and recorder.arrived[-1].all("authorization") == [first])


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def test_draining_fails_no_request(short: Gateway, settings: GatewaySettings, forger: Forger) -> None:
    """The pod's preStop: health checks fail, each connection ends with its next answer, and then Envoy ends."""
    short.start()
    other = Gateway(settings)
    try:
        other.start()
        serving, calls, one = [short, other], Counter[str](), threading.Lock()

        class Balanced(httpx.Client):
            """Sends each request to a gateway that is ready, as a Service does with new connections."""

            def get(self, url: httpx.URL | str, **_more: object) -> httpx.Response:
                with one:
                    chosen = serving[0]
                    calls[chosen.url] += 1
                try:
                    with chosen.client(forger.mint(CALLER)) as client:
                        return client.get(url)
                finally:
                    with one:
                        calls[chosen.url] -= 1

        with load(short, "", connections=Balanced) as callers:
            assert short.admin("POST", "/healthcheck/fail").is_success
            eventually(lambda: not short.is_ready())
            callers.goes_on()
            with one:
                serving.pop(0)
            callers.goes_on()
            # Who chose it before has its answer: the pod's preStop waits for these.
            eventually(lambda: calls[short.url] == 0)
            short.admin("POST", "/drain_listeners?graceful&skip_exit")
            os.kill(short.pid, signal.SIGTERM)
            eventually(lambda: not short.is_running)
    finally:
        other.close()


def test_a_draining_gateway_asks_callers_to_connect_again(short: Gateway, forger: Forger) -> None:
    short.start()
    with short.client(forger.mint(CALLER)) as client:
        assert "connection" not in client.get("/orders/_doc/1").headers
        short.admin("POST", "/healthcheck/fail")
        eventually(lambda: client.get("/orders/_doc/1").headers.get("connection") == "close")


def test_a_silent_elasticsearch_does_not_block_other_callers(
    gateway: Gateway, recorder: Recorder, forger: Forger
) -> None:
    recorder.answers = lambda request: Answer(hangs="slow" in request.target)
    with gateway.client(forger.mint(CALLER)) as slow, gateway.client(forger.mint(CALLER)) as client:
        with pytest.raises(httpx.ReadTimeout):
            slow.get("/slow/_search", timeout=httpx.Timeout(30, read=0.5))
        assert client.get("/orders/_search").status_code == 200


def test_certificates_of_another_authority_are_refused(settings: GatewaySettings, forger: Forger) -> None:
    other = Gateway(replace(settings, ca=""))
    with other:
        assert _status(other, forger.mint(CALLER)) == 503
        named = replace(settings, upstreams=(replace(settings.upstreams[0], host="localhost"),))
        other.wait_for(other.write(named))
        assert _status(other, forger.mint(CALLER)) == 200
        other.wait_for(other.write(replace(settings, verify=False, ca="")))
        assert _status(other, forger.mint(CALLER)) == 200
