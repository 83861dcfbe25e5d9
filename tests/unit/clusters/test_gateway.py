"""What a SearchCluster with a gateway may declare, also where no API server applied the rules of the CRD."""

from typing import Any

import pytest

from searchaccess.core.clusters.cluster import Cluster, cluster_from_object
from tests.unit.builders import a_search_cluster

IAP = {"audience": "/projects/1/global/backendServices/2"}


def declared(*, spec: dict[str, Any] | None = None, **gateway: Any) -> Cluster:
    given = {"audience": "https://es.example.com", "url": "https://es.example.com", "namespace": "search"} | gateway
    raw = a_search_cluster()
    raw["spec"] |= {"identity": {"gateway": given}} | (spec or {})
    return cluster_from_object(raw)


def test_a_gateway_takes_the_place_of_the_realm() -> None:
    cluster = declared()
    assert cluster.invalid == ""
    assert cluster.wanted_realm is None
    assert cluster.gateway is not None
    assert (cluster.gateway.name, cluster.gateway.replicas) == ("searchaccess-gateway", 2)
    assert cluster.gateway.limits.max_body == "100Mi"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://es"}, "spec.identity.gateway.url: write https://host"),
        ({"url": "https://u:p@es"}, "spec.identity.gateway.url: write https://host"),
        ({"url": "https://es\n"}, "spec.identity.gateway.url: write https://host"),
        ({"jwks": {"url": "http://keys"}}, "spec.identity.gateway.jwks.url: write https://host"),
        ({"namespace": "a/b"}, "spec.identity.gateway.namespace: write a DNS label"),
        ({"namespace": "a\n"}, "spec.identity.gateway.namespace: write a DNS label"),
        ({"name": "A"}, "spec.identity.gateway.name: write a DNS label"),
        ({"name": ""}, "spec.identity.gateway.name: write a DNS label"),
        ({"iap": IAP | {"allowPeople": ["a@b.c", "*@*"]}}, "spec.identity.gateway.iap.allowPeople[1]: write an e-mail"),
        ({"iap": IAP | {"allowPeople": ["a@b.c\n"]}}, "spec.identity.gateway.iap.allowPeople[0]: write an e-mail"),
        ({"iap": {"audience": "https://es"}}, "spec.identity.gateway.iap.audience: write the audience"),
        ({"limits": {"maxBody": "1Ti"}}, "spec.identity.gateway.limits.maxBody: write a size"),
        ({"limits": {"maxBody": ""}}, "spec.identity.gateway.limits.maxBody: write a size"),
        ({"ca": {"inline": "none"}}, "spec.identity.gateway.ca.inline "),
        ({"jwks": {"url": "https://k", "ca": {"inline": "none"}}}, "spec.identity.gateway.jwks.ca.inline "),
        ({"issuer": "https://a.example"}, "set jwks.url: only the keys of Google's issuer are known"),
    ],
)
def test_what_matters_for_safety_is_checked_without_an_api_server_too(changes: dict[str, Any], says: str) -> None:
    assert says in declared(**changes).invalid


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"mapping": "PerPrincipal"}, "remove it, a gateway's callers need no role mapping"),
        ({"login": {"googleIdentity": {}}}, "login.googleIdentity needs identity.jwtRealm"),
        ({"identity": {}}, "set exactly one of jwtRealm and gateway"),
    ],
)
def test_what_needs_a_realm_is_refused_with_a_gateway(spec: dict[str, Any], says: str) -> None:
    assert says in declared(spec=spec).invalid
