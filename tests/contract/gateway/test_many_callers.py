"""Ten thousand callers with limits of their own fit into a ConfigMap, and Envoy serves them."""

from dataclasses import replace

import httpx

from searchaccess.core.gateway.settings import ApiGroup, CallerLimits, GatewaySettings, Rate
from searchaccess.engine.gateway.config import MOST_BYTES
from tests.contract.gateway.conftest import MEGABYTE
from tests.contract.gateway.tokens import Forger
from tests.stack.gateway.envoy import Gateway

_MANY = 10_000
_AGENTS = frozenset({ApiGroup.DOCUMENTS, ApiGroup.SEARCH})


def _email(number: int) -> str:
    return f"service-{number:05}-reader@acme-{number % 50:02}-prod.iam.gserviceaccount.com"


def test_ten_thousand_callers_with_limits_fit_and_are_served(settings: GatewaySettings, forger: Forger) -> None:
    callers = {
        _email(number): CallerLimits(MEGABYTE // 2, Rate(1 + number % 20, 2 + number % 20), _AGENTS)
        for number in range(_MANY)
    }
    with Gateway(replace(settings, callers=callers)) as gateway:
        rendered = gateway.rendered
        assert len(rendered.listeners) + len(rendered.clusters) < MOST_BYTES
        for number in (0, _MANY // 2, _MANY - 20):
            with gateway.client(forger.mint(_email(number))) as client:
                answers = [client.get("/orders/_search").status_code for _ in range(15)]
                assert answers[:2] == [httpx.codes.OK] * 2
                assert httpx.codes.TOO_MANY_REQUESTS in answers
            with gateway.client(forger.mint(_email(number + 7))) as client:
                assert client.get("/_cat/indices").status_code == httpx.codes.FORBIDDEN
        with gateway.client(forger.mint("anybody@acme-00-prod.iam.gserviceaccount.com")) as client:
            assert [client.get("/_cat/indices").status_code for _ in range(15)] == [httpx.codes.OK] * 15
