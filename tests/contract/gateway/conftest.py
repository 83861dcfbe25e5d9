"""A gateway of each module, with keys of Google's that the tests have."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Upstream
from tests.contract.gateway.tokens import Forger
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import KeyPublisher, Recorder
from tests.stack.gateway.settings import loopback_settings
from tests.stack.trust.certificates import ServerCertificate, write_server_certificate

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """The certificate of what the gateway connects to."""
    return write_server_certificate(tmp_path_factory.mktemp("loopback"))


@pytest.fixture(scope="session")
def forger() -> Forger:
    return Forger()


@pytest.fixture(scope="module")
def recorder(loopback: ServerCertificate) -> Iterator[Recorder]:
    with Recorder(loopback) as server:
        yield server


@pytest.fixture(scope="module")
def keys(loopback: ServerCertificate, forger: Forger) -> Iterator[KeyPublisher]:
    with KeyPublisher(loopback, forger.google.jwks()) as server:
        yield server


@pytest.fixture(scope="module")
def settings(loopback: ServerCertificate, recorder: Recorder, keys: KeyPublisher) -> GatewaySettings:
    return settings_for(loopback.ca_file, f"{keys.url}/certs", Upstream("127.0.0.1", recorder.port))


@pytest.fixture(scope="module")
def gateway(settings: GatewaySettings, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    before = request.session.testsfailed
    server = Gateway(settings)
    try:
        server.start()
        yield server
    finally:
        server.close(failed=request.session.testsfailed > before)


def settings_for(ca_file: Path, jwks_url: str, upstream: Upstream) -> GatewaySettings:
    """Settings of a gateway whose servers have certificates of one authority."""
    return loopback_settings(ca_file.read_text(), jwks_url, upstream, CallerLimits(MEGABYTE))


def with_limits(settings: GatewaySettings, default: CallerLimits, **callers: CallerLimits) -> GatewaySettings:
    """Settings with other limits; callers by the name of their account."""
    own = {f"{name}@acme-shop.iam.gserviceaccount.com": limits for name, limits in callers.items()}
    return replace(settings, limits=default, callers=own)
