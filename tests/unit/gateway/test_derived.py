"""The settings of a gateway follow from its SearchCluster and from how Elasticsearch is reached."""

from typing import Any

import pytest

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.constants import GOOGLE_JWKS_URL
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.gateway.derived import NotForGateways, settings_of
from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Rate, Upstream

PREFIX = "searchaccess.prod."


def derived(*urls: str, ca: str = "", verify: bool = True, **spec: Any) -> GatewaySettings:
    raw = {"audience": "https://es", "url": "https://gw", "namespace": "gateways", **spec}
    connection = Connection(urls or ("https://es.example.com:9200",), ca, "user", "password", verify=verify)
    return settings_of(Gateway.model_validate(raw), connection, PREFIX)


def test_addresses_certificates_and_defaults_are_taken_over() -> None:
    found = derived("https://one:9200", "https://two", ca="PEM")
    assert found.upstreams == (Upstream("one", 9200), Upstream("two", 443))
    assert (found.tls, found.ca, found.verify) == (True, "PEM", True)
    assert (found.role_prefix, found.jwks_url, found.replicas) == (PREFIX, GOOGLE_JWKS_URL, 2)
    assert found.limits == CallerLimits(100 * 2**20)


def test_with_some_addresses_without_tls_only_the_others_are_used() -> None:
    assert derived("http://one:9200", "https://two:9200").upstreams == (Upstream("two", 9200),)


def test_what_the_operator_may_do_without_tls_the_gateway_may_too() -> None:
    found = derived("http://one", ca="PEM")
    assert (found.tls, found.ca, found.upstreams) == (False, "", (Upstream("one", 80),))
    assert not derived(verify=False).verify


def test_an_address_with_a_path_is_refused() -> None:
    with pytest.raises(NotForGateways, match="remove /es from its address"):
        derived("https://one:9200/es")


@pytest.mark.parametrize(
    ("limits", "rate"),
    [
        ({}, None),
        ({"requestsPerSecond": 10}, Rate(10, 20)),
        ({"requestsPerSecond": 10, "burst": 50}, Rate(10, 50)),
        ({"requestsPerSecond": 10, "burst": 5}, Rate(10, 10)),
        ({"burst": 5}, None),
    ],
)
def test_limits_have_a_burst_of_at_least_a_second(limits: dict[str, int], rate: Rate | None) -> None:
    assert derived(limits=limits).limits.rate == rate


def test_people_count_only_with_the_proxy() -> None:
    assert (derived().iap_audience, derived().people) == ("", ())
    iap = {"audience": "/projects/1/global/backendServices/2", "allowPeople": ["b@x.com", "*@a.com"]}
    assert derived(iap=iap).people == ("*@a.com", "b@x.com")


def test_no_login_is_in_the_settings() -> None:
    assert "password" not in repr(derived())
