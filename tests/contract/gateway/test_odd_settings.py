"""Settings that are allowed and rare: Envoy takes them, and they mean what they say."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Rate, Upstream
from tests.contract.gateway.conftest import MEGABYTE, settings_for
from tests.contract.gateway.tokens import Forger
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import KeyPublisher, Recorder
from tests.stack.trust.certificates import ServerCertificate

EMAIL = "orders@acme-shop.iam.gserviceaccount.com"
ODD = "a%b %REQ(HOST)% \"'\\ {}: #\u2028\u00e9\U0001f600,https://x"
"""An audience, and an issuer: whatever the API takes."""


class OnIPv6(Recorder):
    """A server at ::1."""

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "::1", self.port, ssl=self._context)


@pytest.fixture(scope="module")
def over_ipv6(loopback: ServerCertificate) -> Iterator[OnIPv6]:
    with OnIPv6(loopback) as server:
        yield server


@pytest.fixture
def odd(loopback: ServerCertificate, over_ipv6: OnIPv6, keys: KeyPublisher) -> GatewaySettings:
    settings = settings_for(loopback.ca_file, f"{keys.url}/certs", Upstream("::1", over_ipv6.port))
    return replace(
        settings, audience=ODD, issuer=ODD, verify=False, ca="", limits=CallerLimits(MEGABYTE, Rate(50, 100))
    )


def test_an_ipv6_address_and_any_audience(odd: GatewaySettings, over_ipv6: OnIPv6, forger: Forger) -> None:
    with Gateway(odd) as gateway:
        with gateway.client(forger.saying(EMAIL, iss=ODD, aud=ODD)) as client:
            answer = client.get("/orders/_search")
            assert answer.status_code == 200, answer.text
        [arrived] = over_ipv6.arrived
        assert arrived.all("es-security-runas-user") == [f"searchaccess.prod.{EMAIL}"]
        assert arrived.all("host") == ["[::1]"]
        for other in (ODD.replace("%", "%%"), ODD.strip("x"), "a%b"):
            with gateway.client(forger.saying(EMAIL, iss=ODD, aud=other)) as client:
                assert client.get("/orders/_search").status_code in {401, 403}
        assert len(over_ipv6.arrived) == 1
