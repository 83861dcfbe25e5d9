"""What the plays about gateways need."""

import hashlib

import pytest

from searchaccess.core.gateway.render import Rendered
from searchaccess.core.gateway.settings import GatewaySettings


def _rendered(settings: GatewaySettings) -> Rendered:
    text = repr(settings)
    return Rendered(f"listeners of {text}", f"clusters of {text}", hashlib.sha256(text.encode()).hexdigest()[:32])


@pytest.fixture(autouse=True)
def rendered_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render settings as they are: what Envoy makes of them is tested elsewhere."""
    monkeypatch.setattr("searchaccess.engine.gateway.config.render", _rendered)
