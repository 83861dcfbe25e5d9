"""Probes and metrics of the operator as a process."""

import subprocess

import httpx
from prometheus_client.parser import text_string_to_metric_families

from searchaccess.operator.telemetry.metrics import CONTENT_TYPE, LABELS
from tests.support.operatorprocess import OperatorProcess
from tests.support.servers.proxy import Fault
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import CLUSTER, access, grant

LISTEN = ("--listen", "127.0.0.1:0", "--resync-period", "1s")


def address(operator: OperatorProcess) -> str:
    """Return where it serves, as its log says."""

    def port() -> int:
        lines = operator.logged()
        return next((line["port"] for line in lines if line["event"] == "serving probes and metrics"), 0)

    eventually(port, within=PATIENCE, what="it serves")
    return f"http://127.0.0.1:{port()}"


def status(url: str) -> int:
    return get(url).status_code


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=60)


def test_what_the_process_says_of_itself(field: Arena) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    with field.running(extra=LISTEN) as operator:
        url = address(operator)
        eventually(lambda: status(f"{url}/readyz") == 200, within=PATIENCE, what="it is ready")
        field.until_in_sync(1)
        assert get(f"{url}/livez").text == "ok"
        answer = get(f"{url}/metrics")
        assert answer.headers["content-type"] == CONTENT_TYPE
        found = {family.name: family for family in text_string_to_metric_families(answer.text)}
        assert set(LABELS) <= set(found)
        assert found["process_resident_memory_bytes"].samples[0].value > 1e6
        ready = [sample for sample in found["searchaccess_accesses"].samples if sample.labels["ready"] == "True"]
        assert [(sample.labels["cluster"], sample.value) for sample in ready] == [(CLUSTER, 1)]
        targets = {sample.labels["target"] for sample in found["searchaccess_requests"].samples}
        assert {"elasticsearch", "kubernetes"} <= targets
        assert field.tokens
        assert not [token for token in field.tokens if token in answer.text]

        with field.api.fault(Fault(drop=True), lambda _: True):
            eventually(lambda: status(f"{url}/readyz") == 503, within=PATIENCE, what="it is not ready")
            assert status(f"{url}/livez") == 200
        eventually(lambda: status(f"{url}/readyz") == 200, within=PATIENCE, what="it is ready again")


def test_an_address_that_is_none_is_reported(field: Arena) -> None:
    for where in ("127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"):
        operator = field.operator(extra=("--listen", where))
        result = subprocess.run(operator._command, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 64, where
        assert "write an address and a port" in result.stderr


def test_an_address_that_is_taken_is_reported(field: Arena) -> None:
    with field.running(extra=LISTEN) as operator:
        taken = address(operator).removeprefix("http://")
        another = field.operator("another", extra=("--listen", taken))
        result = subprocess.run(another._command, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 1
        assert f"cannot listen at {taken}: " in result.stderr
