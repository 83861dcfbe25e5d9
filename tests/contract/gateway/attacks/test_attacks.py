"""Whatever is sent: only the gateway's login and one principal, the verified one, arrive at Elasticsearch."""

import base64
import json

import pytest

from tests.contract.gateway.attacks.headers import HEADERS, PLACES
from tests.contract.gateway.attacks.paths import PATHS
from tests.contract.gateway.attacks.row import CALLER, PREFIX, Row, names_are_unique
from tests.contract.gateway.attacks.smuggling import SMUGGLING
from tests.contract.gateway.attacks.tokens import CLAIMS, TOKENS
from tests.contract.gateway.tokens import Forger
from tests.contract.gateway.wire import exchange
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import Arrived, Recorder

ROWS = names_are_unique([*TOKENS, *CLAIMS, *PLACES, *HEADERS, *SMUGGLING, *PATHS])
LOGIN = "Basic " + base64.b64encode(b"searchaccess-gateway.test.gateway.a:first-password").decode()
CONTROLS = ("es-", "x-envoy-", "x-forwarded", "x-goog-", "x-found-", "x-elastic-", "x-original", "x-rewrite", "x-http")
OK = 200
OTHERS = {"cookie", "proxy-authorization", "forwarded", "x-serverless-authorization", "upgrade", "trailer"}


def assert_is_the_callers(arrived: Arrived) -> None:
    """What Elasticsearch gets has our login, one principal, and nothing else that controls it."""
    assert arrived.all("authorization") == [LOGIN]
    (run_as,) = arrived.all("es-security-runas-user")
    assert run_as == PREFIX + CALLER or len(run_as) > 600
    assert arrived.all("host") == ["127.0.0.1"]
    rest = {name.lower() for name, _ in arrived.headers} - {"es-security-runas-user"}
    assert not [name for name in rest if name.startswith(CONTROLS)]
    assert not rest & OTHERS
    assert arrived.line.endswith(" HTTP/1.1")


def assert_has_the_form_of_elasticsearchs_errors(status: int, body: bytes) -> None:
    answer = json.loads(body)
    error = answer["error"]
    assert answer["status"] == status
    assert error["root_cause"] == [{name: error[name] for name in ("type", "reason")}]
    assert error["type"].startswith("gateway_")
    assert "Ask the team" in error["reason"]


@pytest.mark.parametrize("attack", ROWS, ids=str)
def test_each_attack_ends_as_the_table_says(attack: Row, gateway: Gateway, recorder: Recorder, forger: Forger) -> None:
    recorder.arrived.clear()
    # What arrives is answered: all of these answers are waited for.
    answers = exchange(gateway, attack.request(forger), silent=not attack.status, answers=max(1, attack.arrives))
    assert [status for status, _ in answers][:1] == ([attack.status] if attack.status else []), answers
    assert len(recorder.arrived) == attack.arrives, recorder.arrived
    if attack.status != OK:
        for status, body in answers[:1]:
            assert_has_the_form_of_elasticsearchs_errors(status, body)
    for arrived in recorder.arrived:
        assert_is_the_callers(arrived)


def test_the_table_is_long_and_the_gateway_survived_it(gateway: Gateway) -> None:
    assert len(ROWS) >= 150
    assert gateway.is_running
