"""What the chart expects of Envoy, with the real one: it drains when asked by the hook, and has the metrics."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from searchaccess.core.gateway.settings import CallerLimits, Rate, Upstream
from tests.chart.gateway.metrics import ALL
from tests.chart.gateway.test_gateway_chart import ON, container_of
from tests.chart.helm import Helm
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import KeyPublisher, Recorder
from tests.stack.gateway.settings import loopback_settings
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.waiting import eventually

CALLER = "orders@acme-shop.iam.gserviceaccount.com"
SHORT_SLEEP = "sleep 0.1"


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def gateway(issuer: TokenIssuer, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that lets each caller send two requests at once."""
    servers = write_server_certificate(tmp_path / "servers")
    limits = CallerLimits(max_body=1024, rate=Rate(per_second=1, burst=2))
    with Recorder(servers) as recorder, KeyPublisher(servers, issuer.jwks()) as keys:
        upstream = Upstream("127.0.0.1", recorder.port)
        settings = loopback_settings(servers.ca_file.read_text(), f"{keys.url}/certs", upstream, limits)
        with Gateway(settings) as found:
            yield found


def hook_of(tool: Helm, port: int) -> list[str]:
    """Return the hook of the chart, for another port, and with a short sleep."""
    *shell, script = container_of(tool.render(ON))["lifecycle"]["preStop"]["exec"]["command"]
    here = re.sub(r"sleep \d+", SHORT_SLEEP, script.replace("/9901", f"/{port}"))
    assert f"/{port}" in here
    assert SHORT_SLEEP in here
    return [*shell, here]


def test_the_hook_makes_it_drain_and_it_answers_meanwhile(tool: Helm, gateway: Gateway, issuer: TokenIssuer) -> None:
    with gateway.client(issuer.mint(CALLER)) as client:
        before = client.get("/orders/_search")
        assert "connection" not in before.headers
        done = subprocess.run(hook_of(tool, gateway.paths.admin_port), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        # The hook does not wait for an answer.
        eventually(lambda: gateway.health("/ready").status_code == httpx.codes.SERVICE_UNAVAILABLE, what="it drains")
        after = client.get("/orders/_search")
        assert after.status_code == before.status_code == httpx.codes.OK
        assert after.headers["connection"] == "close"
    assert gateway.is_running


def test_the_hook_ends_also_where_envoy_does_not_answer(tool: Helm) -> None:
    done = subprocess.run(hook_of(tool, 1), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "refused" in done.stderr


def test_it_takes_up_a_new_certificate_without_a_restart(gateway: Gateway, tmp_path: Path) -> None:
    def served() -> str:
        return ssl.get_server_certificate(("127.0.0.1", gateway.paths.port)).strip()

    assert served() == gateway.certificate.certificate_file.read_text().strip()
    new = write_server_certificate(tmp_path / "new")
    process = gateway.pid
    gateway.write_certificate(new)
    eventually(lambda: served() == new.certificate_file.read_text().strip(), what="the new certificate is served")
    assert gateway.pid == process


def test_it_has_the_metrics_of_alerts_and_dashboard(gateway: Gateway, issuer: TokenIssuer) -> None:
    with gateway.client(issuer.mint(CALLER)) as client:
        answered = [client.get(path).status_code for path in ("/_security/user", "/orders/_search", "/orders/_search")]
        answered += [client.get("/", headers={"authorization": "none"}).status_code]
    assert set(answered) >= {200, 401, 403}
    lines = gateway.health("/stats/prometheus").text.splitlines()
    found: dict[str, set[str]] = {}
    for line in lines:
        if match := re.match(r"(\w+)\{([^}]*)\} ", line):
            found.setdefault(match[1], set()).update(re.findall(r"(\w+)=\"", match[2]))
    assert {name: sorted(labels - found.get(name, set())) for name, labels in ALL.items() if name not in found} == {}
    assert {name: labels - found[name] for name, labels in ALL.items() if not labels <= found[name]} == {}
